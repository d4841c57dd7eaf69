import { plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import { invalid, requireArgs, type Step } from '../step.ts';

/** SHELL: what the shell forms of RUN, CMD and ENTRYPOINT begin with from here on. */
export function lowerShell(step: Step): void {
  const { instruction, state } = step;
  requireArgs(step, 1);
  if (instruction.form !== 'exec') throw invalid(step, 'SHELL takes a JSON array', { hint: 'as in SHELL ["/bin/bash", "-c"]' });
  state.config = { ...state.config, Shell: [...instruction.args] };
  addHistory(state, `SHELL ${plainList(instruction.args)}`);
}

import { plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** SHELL: what the shell forms of RUN, CMD and ENTRYPOINT begin with from here on. */
export function lowerShell(step: Step): void {
  const { instruction, state } = step;
  state.config = { ...state.config, Shell: [...instruction.args] };
  addHistory(state, `SHELL ${plainList(instruction.args)}`);
}

import type { Spec } from '../../graph/spec.ts';
import { vertex } from '../../graph/vertex.ts';
import { absolutePath } from '../container-path.ts';
import { addHistory, workingDirectory } from '../stage-state.ts';
import { expandArg, invalid, rangeOf, requireArgs, type Step } from '../step.ts';
import { stepName } from '../step-name.ts';

/** WORKDIR, relative to the one before. It makes a layer, even where the directory is there already; only `/` makes none. */
export function lowerWorkdir(step: Step): void {
  requireArgs(step, 1, 1);
  const { state } = step;
  const given = expandArg(step, 0);
  if (given === '') throw invalid(step, 'the path of WORKDIR is empty');
  const path = absolutePath(workingDirectory(state), given);
  state.config = { ...state.config, WorkingDir: path };
  if (path === '/') {
    addHistory(state, 'WORKDIR /');
    return;
  }
  const spec: Spec = { kind: 'mkdir', path, user: state.config.User ?? '' };
  state.vertex = vertex(spec, [state.vertex], stepName(step), rangeOf(step));
  addHistory(state, `WORKDIR ${path}`, state.vertex.digest);
}

import type { Spec } from '../../graph/spec.ts';
import { vertex } from '../../graph/vertex.ts';
import { absolutePath, nextWorkdir } from '../container-path.ts';
import { epochOf } from '../epoch.ts';
import { addHistory } from '../stage-state.ts';
import { expandArg, rangeOf, type Step } from '../step.ts';
import { stepName } from '../step-name.ts';

/**
 * WORKDIR, relative to the one before. It makes a layer, even where the directory is there already; only `/` makes none. The config has an
 * absolute path as it was written.
 */
export function lowerWorkdir(step: Step): void {
  const { state } = step;
  const path = nextWorkdir(state.config.WorkingDir ?? '', expandArg(step, 0));
  state.config = { ...state.config, WorkingDir: path };
  if (path === '/') {
    addHistory(state, 'WORKDIR /');
    return;
  }
  const spec: Spec = { kind: 'mkdir', path: absolutePath('/', path), user: state.config.User ?? '', ...epochOf(step.build) };
  state.vertex = vertex(spec, [state.vertex], stepName(step), rangeOf(step));
  addHistory(state, `WORKDIR ${path}`, state.vertex.digest);
}

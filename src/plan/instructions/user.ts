import { addHistory } from '../stage-state.ts';
import { expandArg, type Step } from '../step.ts';

/** USER. Whether the user is in the image is seen at the first RUN. */
export function lowerUser(step: Step): void {
  const { state } = step;
  const User = expandArg(step, 0);
  state.config = { ...state.config, User };
  addHistory(state, `USER ${User}`);
}

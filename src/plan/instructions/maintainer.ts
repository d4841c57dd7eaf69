import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** MAINTAINER: the image's author, as written. */
export function lowerMaintainer(step: Step): void {
  const author = step.instruction.args.join(' ');
  step.state.author = author;
  addHistory(step.state, `MAINTAINER ${author}`);
}

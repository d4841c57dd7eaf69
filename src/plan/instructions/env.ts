import { expandPairs } from '../key-value-pairs.ts';
import { addHistory, define } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** ENV: variables of the image, and of all that follows. */
export function lowerEnv(step: Step): void {
  const { state } = step;
  const pairs = expandPairs(step);
  for (const { name, value } of pairs) {
    define(state, name, value);
    state.named.env.set(name, value);
  }
  addHistory(state, ['ENV', ...pairs.map(({ name, value }) => `${name}=${value}`)].join(' '));
}

import { expandPairs } from '../key-value-pairs.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** LABEL. */
export function lowerLabel(step: Step): void {
  const { state } = step;
  const pairs = expandPairs(step);
  for (const { name, value } of pairs) state.named.labels.set(name, value);
  addHistory(state, ['LABEL', ...pairs.map(({ name, value }) => `${name}=${value}`)].join(' '));
}

import { expandPairs } from '../key-value-pairs.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** LABEL. */
export function lowerLabel(step: Step): void {
  const { state } = step;
  const pairs = expandPairs(step);
  const labels = Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
  state.config = { ...state.config, Labels: { ...state.config.Labels, ...labels } };
  addHistory(state, ['LABEL', ...pairs.map(({ name, value }) => `${name}=${value}`)].join(' '));
}

import { splitKeyValue } from '../../grammar/key-values.ts';
import { expandArg, expandAt, rangeOfArg, type Step } from './step.ts';

export interface Pair {
  readonly name: string;
  readonly value: string;
}

/**
 * The arguments of ENV and LABEL: `name=value` words, or the legacy `name rest of line`. All see the variables as they were before.
 * A name may become empty by them, as in BuildKit; one that is written so is the grammar's to refuse.
 */
export function expandPairs(step: Step): readonly Pair[] {
  const { args, form } = step.instruction;
  if (form === 'legacy') return [{ name: expandArg(step, 0), value: expandArg(step, 1) }];
  return args.map((word, index) => {
    const { name, value } = splitKeyValue(word) ?? { name: word, value: '' };
    const range = rangeOfArg(step, index);
    return { name: expandAt(step, name, range), value: expandAt(step, value, range) };
  });
}

import { splitKeyValue } from '../../grammar/key-values.ts';
import { expandArg, expandAt, invalid, rangeOfArg, requireArgs, type Step } from './step.ts';

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
  if (form === 'legacy') {
    requireArgs(step, 2, 2);
    return [{ name: expandArg(step, 0), value: expandArg(step, 1) }];
  }
  requireArgs(step, 1);
  return args.map((word, index) => {
    const pair = splitKeyValue(word);
    const range = rangeOfArg(step, index);
    if (!pair)
      throw invalid(step, `"${word}" is not of the form "name=value"`, { range, hint: `quote a value that has spaces: name="a b"` });
    return { name: expandAt(step, pair.name, range), value: expandAt(step, pair.value, range) };
  });
}

import type { Flag } from '../../grammar/ast.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import { expandAt, rangeIn, type Step } from './step.ts';

export interface FlagValue {
  /** Unquoted, not expanded. */
  readonly value: string;
  readonly range: SourceRange;
}

/** The value of a flag that stands once at most; an empty one is as none. The parser has refused unknown flags and second ones. */
export const textFlag = (step: Step, name: string): FlagValue | undefined => listFlag(step, name).find(({ value }) => value !== '');

/** The values of a flag that may stand several times. */
export const listFlag = (step: Step, name: string): readonly FlagValue[] =>
  step.instruction.flags.filter((flag) => flag.name === name).map((flag) => flagValue(step, flag));

/** `--link`, `--link=true`, `--link=false`; undefined when it is not there. */
export function booleanFlag(step: Step, name: string): boolean | undefined {
  const flag = step.instruction.flags.find((candidate) => candidate.name === name);
  return flag && flag.text?.toLowerCase() !== 'false';
}

/** The value of a flag, expanded. */
export function expandFlag(step: Step, name: string): string | undefined {
  const flag = textFlag(step, name);
  return flag && expandAt(step, flag.value, flag.range);
}

const flagValue = (step: Step, { text = '', range }: Flag): FlagValue => ({ value: text, range: rangeIn(step, range) });

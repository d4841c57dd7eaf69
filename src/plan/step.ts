import type { Instruction, Range } from '../../grammar/ast.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { ErrorCode } from '../diagnostics/codes.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { type BuildScope, sourceRange } from './build-scope.ts';
import { expandText } from './expansion.ts';
import type { StageState } from './stage-state.ts';

/** One instruction being lowered, and all that it may look at. The grammar has refused what is wrong with it whatever its variables hold. */
export interface Step {
  readonly instruction: Instruction;
  readonly state: StageState;
  readonly build: BuildScope;
  /** Set for a trigger of the base image: it has no place in this file, so it stands where the FROM does. */
  readonly triggeredBy: Range | undefined;
  /** The filesystem of a stage or image that `--from` or `from=` names. */
  source(name: string): Vertex<Spec>;
}

/** Lowers one kind of instruction: changes the stage's state. */
export type Lowering = (step: Step) => void;

/** The range of a part of the instruction. */
export const rangeIn = ({ build, triggeredBy }: Step, range: Range): SourceRange => sourceRange(build, triggeredBy ?? range);

/** The range of the whole instruction. */
export const rangeOf = (step: Step): SourceRange => rangeIn(step, step.instruction.range);

/** The range of the argument at `index`, or of the instruction where there is none. */
export const rangeOfArg = (step: Step, index: number): SourceRange =>
  rangeIn(step, step.instruction.argRanges[index] ?? step.instruction.range);

/** The argument at `index`, expanded with the variables as they were before the instruction. */
export function expandArg(step: Step, index: number): string {
  return expandAt(step, step.instruction.args[index] ?? '', rangeOfArg(step, index));
}

/** A part of the instruction, expanded. */
export const expandAt = ({ state, build }: Step, word: string, range: SourceRange): string =>
  expandText(word, state.scope, { ...build, range });

/** The instruction is not what it should be. */
export const invalid = (
  step: Step,
  message: string,
  { range, hint }: { range?: SourceRange; hint?: string | undefined } = {},
): BuildError => failure(step, 'DOCKERFILE_INVALID', message, { range, hint });

/** The instruction is fine, but we cannot do it. */
export const unsupported = (
  step: Step,
  message: string,
  { range, hint }: { range?: SourceRange; hint?: string | undefined } = {},
): BuildError => failure(step, 'UNSUPPORTED', message, { range, hint });

function failure(
  step: Step,
  code: ErrorCode,
  message: string,
  details: { range?: SourceRange | undefined; hint?: string | undefined },
): BuildError {
  return new BuildError(code, message, { range: details.range ?? rangeOf(step), hint: details.hint });
}

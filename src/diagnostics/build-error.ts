import type { ErrorCode } from './codes.ts';
import type { SourceRange } from './source-range.ts';

export interface BuildErrorDetails {
  readonly range?: SourceRange | undefined;
  readonly hint?: string | undefined;
  /** Lines to show below the message: the end of a failed step's output. */
  readonly notes?: readonly string[] | undefined;
  readonly cause?: unknown;
}

/** Something the user can act on. Anything else that is thrown is a defect of ours. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: ErrorCode;
  /** The instruction, or the part of it, that asked for what went wrong. */
  readonly range: SourceRange | undefined;
  /** What to do next, if we know. */
  readonly hint: string | undefined;
  readonly notes: readonly string[];

  constructor(code: ErrorCode, message: string, { range, hint, notes, cause }: BuildErrorDetails = {}) {
    super(message, { cause });
    this.code = code;
    this.range = range;
    this.hint = hint;
    this.notes = notes ?? [];
  }

  /** The same error at this place, unless it has one: the layer that knows the range adds it, once. */
  at(range: SourceRange): BuildError {
    if (this.range) return this;
    return new BuildError(this.code, this.message, { range, hint: this.hint, notes: this.notes, cause: this.cause ?? this });
  }
}

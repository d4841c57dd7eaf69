// The syntax tree of a Dockerfile: plain data, and the contract of `cooper ast` (DESIGN §4).
// grammar/ imports nothing else of ours; src/diagnostics has structurally equal ranges.

/** `line` and `column` count from 1 (columns in characters), `offset` in UTF-8 bytes from 0. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** From `start` up to, but without, `end`. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

export interface Diagnostic {
  /** Stable, upper case with underscores: `UNKNOWN_INSTRUCTION`. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly range: Range;
  readonly hint?: string;
}

/** `--name=value`, or `--name` alone (then `value` is undefined). `value` is as written: nothing unquoted or expanded. */
export interface Flag {
  readonly name: string;
  readonly value?: string;
  /** The value without quotes and escapes: what counts. */
  readonly text?: string;
  readonly range: Range;
}

export interface Heredoc {
  readonly name: string;
  /** False when any part of the word was quoted: the content is taken as it is. */
  readonly expand: boolean;
  /** True for `<<-`: leading tabs are already removed from `content`. */
  readonly chomp: boolean;
  readonly content: string;
  /** As in the file, with the tabs that `<<-` removes from `content`. */
  readonly raw: string;
  readonly range: Range;
}

/** `exec`: valid JSON array of strings; `shell`: one text; `legacy`: `ENV name rest of line`; `words`: everything else. */
export type Form = 'exec' | 'shell' | 'legacy' | 'words';

export interface Instruction {
  /** Upper case: `RUN`. */
  readonly name: string;
  /** As written, for lint. */
  readonly nameAsWritten: string;
  readonly flags: readonly Flag[];
  readonly form: Form;
  /**
   * As written, after continuation lines are joined and comments dropped, before any quote is removed or variable expanded
   * (the elements of the array for `exec`). A heredoc's `<<EOF` is one of the args where it stands.
   */
  readonly args: readonly string[];
  /** The range of each of `args`. */
  readonly argRanges: readonly Range[];
  readonly heredocs: readonly Heredoc[];
  /** What ONBUILD triggers, parsed; its text is `triggerText`. */
  readonly trigger?: Instruction;
  readonly triggerText?: string;
  /**
   * Texts of the comment lines above, in order: all since the last instruction, or since a line with nothing but `#`. Blank lines do not
   * part them, directives are none of them. Of an indented comment the `#` stays, as only the first character of its line is cut off.
   * Source: BuildKit, `PrevComment`. Empty for a trigger.
   */
  readonly comments: readonly string[];
  /** Every line that was read for it, as BuildKit counts: from the first, be it a lone `\\`, to the last, blank lines at the end included. */
  readonly lines: { readonly first: number; readonly last: number };
  /** Where there are blank lines inside: the line that BuildKit names, which is the last of the joined ones. */
  readonly emptyContinuation?: number;
  /** The whole instruction as written after joining (for history and messages), with heredoc bodies. */
  readonly text: string;
  /** From the first letter of the name to the end of the last line (heredocs included), without the line break. */
  readonly range: Range;
}

export interface Directives {
  readonly syntax?: string;
  readonly escape?: '\\' | '`';
  readonly check?: string;
}

export interface Dockerfile {
  readonly directives: Directives;
  readonly escape: '\\' | '`';
  readonly instructions: readonly Instruction[];
  readonly diagnostics: readonly Diagnostic[];
}

/** A place in a file. `line` and `column` count from 1, `offset` in UTF-8 bytes from 0; columns count characters (code points). */
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

/** A range in a named file: what a message points at. `text` is the whole file, so that the line can be shown. */
export interface SourceRange extends Range {
  readonly file: string;
  readonly text?: string;
}

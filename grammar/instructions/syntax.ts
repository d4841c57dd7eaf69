import type { Flag, Form, Range } from '../ast.ts';
import type { Report } from '../diagnostics.ts';

/** What a flag takes. `boolean` flags stand alone or have the value `true` or `false`. */
export interface FlagSyntax {
  readonly value: 'required' | 'boolean';
  readonly repeatable: boolean;
  /** For docs and completion. */
  readonly meaning: string;
}

/**
 * How the text after the name is read: `command` is exec or shell form, `script` the same with heredocs, `files` words with heredocs or
 * exec form, `list` words or exec form, `words` words, `text` the whole line as one, `assignments` quoted words or `name rest of line`,
 * `names` quoted words, `health` NONE or CMD and a command, `trigger` another instruction.
 */
export type Layout = 'command' | 'script' | 'files' | 'list' | 'words' | 'text' | 'assignments' | 'names' | 'health' | 'trigger';

/** The arguments of an instruction, as its check sees them. */
export interface Arguments {
  readonly form: Form;
  readonly args: readonly string[];
  readonly argRanges: readonly Range[];
  readonly flags: readonly Flag[];
  /** Where something is missing: the name of the instruction. */
  readonly nameRange: Range;
}

/** All that is known of an instruction without its context. */
export interface InstructionSyntax {
  readonly name: string;
  readonly layout: Layout;
  /** For docs and hints: `WORKDIR path`. */
  readonly synopsis: string;
  readonly flags: Readonly<Record<string, FlagSyntax>>;
  /** True where BuildKit never looks at the flags: any will do, and has no effect. */
  ignoresFlags?(args: readonly string[]): boolean;
  check(given: Arguments, report: Report): void;
}

export const required = (meaning: string): FlagSyntax => ({ value: 'required', repeatable: false, meaning });
export const repeatable = (meaning: string): FlagSyntax => ({ value: 'required', repeatable: true, meaning });
export const boolean = (meaning: string): FlagSyntax => ({ value: 'boolean', repeatable: false, meaning });

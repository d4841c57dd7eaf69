import type { Diagnostic, Range } from './ast.ts';

/** Every code of a diagnostic, with its severity and meaning. Sorted. */
export const diagnosticCodes = {
  BLANK_NAME: { severity: 'error', meaning: 'a variable or label has no name before the "="' },
  DIRECTIVE_IGNORED: { severity: 'warning', meaning: 'a parser directive has no effect where it stands' },
  DUPLICATE_DIRECTIVE: { severity: 'error', meaning: 'a parser directive is given twice' },
  DUPLICATE_FLAG: { severity: 'error', meaning: 'a flag that takes one value is given twice' },
  EMPTY_COMMAND: { severity: 'warning', meaning: 'a command is empty' },
  EMPTY_CONTINUATION: { severity: 'warning', meaning: 'a blank line inside of an instruction' },
  EMPTY_FILE: { severity: 'error', meaning: 'the file has no instruction' },
  EXEC_FORM_INVALID: { severity: 'warning', meaning: 'what looks like exec form is not valid JSON and is taken as a shell command' },
  EXEC_FORM_NOT_STRINGS: { severity: 'error', meaning: 'the JSON array of an exec form has elements that are not strings' },
  EXEC_FORM_REQUIRED: { severity: 'error', meaning: 'the instruction takes a JSON array only' },
  FLAG_IGNORED: { severity: 'warning', meaning: 'a flag has no effect on this instruction' },
  FLAG_VALUE_INVALID: { severity: 'error', meaning: 'the value of a flag is not one that it takes' },
  FLAG_VALUE_MISSING: { severity: 'error', meaning: 'a flag needs a value' },
  HEALTHCHECK_INVALID: { severity: 'error', meaning: 'HEALTHCHECK is neither NONE nor CMD with a command' },
  HEREDOC_AS_DESTINATION: { severity: 'error', meaning: 'the destination of a copy is a heredoc' },
  HEREDOC_UNSEEN: { severity: 'warning', meaning: 'a "<<" is no heredoc, as a quote or a substitution hides it' },
  HEREDOC_UNTERMINATED: { severity: 'error', meaning: 'the line that ends a heredoc is missing' },
  INVALID_ESCAPE: { severity: 'error', meaning: 'the escape directive is neither a backslash nor a backtick' },
  LINE_TOO_LONG: { severity: 'error', meaning: 'a line is longer than 65535 bytes' },
  LOOSE_CONTINUATION: { severity: 'error', meaning: 'an instruction begins with a continuation, and nothing follows' },
  MISSING_ARGUMENT: { severity: 'error', meaning: 'the instruction needs more arguments' },
  NO_STAGE: { severity: 'error', meaning: 'an instruction stands before the first FROM, or there is no FROM' },
  NOT_KEY_VALUE: { severity: 'error', meaning: 'an argument is not of the form name=value' },
  STAGE_NAME_INVALID: { severity: 'error', meaning: 'the name of a stage has characters that it cannot have' },
  SYNTAX_ERROR: { severity: 'error', meaning: 'the text is not what the grammar expects' },
  TOO_MANY_ARGUMENTS: { severity: 'error', meaning: 'the instruction takes fewer arguments' },
  TRIGGER_NOT_ALLOWED: { severity: 'error', meaning: 'ONBUILD cannot trigger this instruction' },
  UNKNOWN_FLAG: { severity: 'error', meaning: 'the instruction has no such flag' },
  UNKNOWN_INSTRUCTION: { severity: 'error', meaning: 'there is no such instruction' },
} as const satisfies Record<string, { severity: Diagnostic['severity']; meaning: string }>;

export type DiagnosticCode = keyof typeof diagnosticCodes;

/** What a check found. */
export interface Problem {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly range: Range;
  readonly hint?: string | undefined;
  /** Where it is not that of the code. */
  readonly severity?: Diagnostic['severity'];
}

export type Report = (problem: Problem) => void;

export function toDiagnostic({ code, severity = diagnosticCodes[code].severity, message, range, hint }: Problem): Diagnostic {
  return { code, severity, message, range, ...(hint === undefined ? {} : { hint }) };
}

import type { Report } from '../diagnostics.ts';
import type { Arguments, InstructionSyntax } from './syntax.ts';

/** An empty shell command is valid, and surely a mistake. */
export function warnOfEmptyCommand(syntax: InstructionSyntax, given: Arguments, report: Report): void {
  if (given.form !== 'shell' || given.args[0] !== '') return;
  report({ code: 'EMPTY_COMMAND', message: `${syntax.name} has no command`, range: given.nameRange, hint: `write: ${syntax.synopsis}` });
}

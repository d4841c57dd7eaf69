import type { Report } from '../diagnostics.ts';
import type { Arguments, InstructionSyntax } from './syntax.ts';

/** An empty shell command is valid, and surely a mistake; so is `RUN []`, while `CMD []` takes back what the base says. */
export function warnOfEmptyCommand(syntax: InstructionSyntax, given: Arguments, report: Report): void {
  const isEmpty = given.form === 'shell' ? given.args[0] === '' : given.args.length === 0 && syntax.name === 'RUN';
  if (!isEmpty) return;
  report({ code: 'EMPTY_COMMAND', message: `${syntax.name} has no command`, range: given.nameRange, hint: `write: ${syntax.synopsis}` });
}

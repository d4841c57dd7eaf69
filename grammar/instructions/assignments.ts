import type { Report } from '../diagnostics.ts';
import { requireArguments, requireNames, shorten } from './argument-count.ts';
import type { Arguments, InstructionSyntax } from './syntax.ts';

/** ENV and LABEL: every word is `name=value`, or the line is `name rest of line`. */
export function checkAssignments(syntax: InstructionSyntax, given: Arguments, report: Report): void {
  if (given.form === 'legacy') {
    requireValue(syntax, given, report);
    return;
  }
  requireArguments(syntax, 1, given, report);
  requireNames(syntax, given, report);
  for (const [at, arg] of given.args.entries()) {
    if (arg.includes('=')) continue;
    const message = `${syntax.name} has "${shorten(arg)}" where name=value is expected`;
    const hint = 'a value with spaces wants quotes: name="a value"';
    report({ code: 'NOT_KEY_VALUE', message, range: given.argRanges[at] ?? given.nameRange, hint });
  }
}

function requireValue(syntax: InstructionSyntax, given: Arguments, report: Report): void {
  if (given.args.length > 1) return;
  const message = `${syntax.name} has the name "${shorten(given.args[0] ?? '')}" without a value`;
  report({ code: 'NOT_KEY_VALUE', message, range: given.argRanges[0] ?? given.nameRange, hint: `write: ${syntax.synopsis}` });
}

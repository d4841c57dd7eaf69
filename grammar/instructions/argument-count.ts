import type { Report } from '../diagnostics.ts';
import type { Arguments, InstructionSyntax } from './syntax.ts';

type Named = Pick<InstructionSyntax, 'name' | 'synopsis'>;

/** Reports MISSING_ARGUMENT for fewer than `count` arguments; true if there are enough. */
export function requireArguments(syntax: Named, count: number, given: Arguments, report: Report): boolean {
  if (given.args.length >= count) return true;
  const wanted = count === 1 ? 'at least one argument' : `at least ${count} arguments`;
  const message = `${syntax.name} needs ${wanted}, found ${given.args.length === 0 ? 'none' : given.args.length}`;
  report({ code: 'MISSING_ARGUMENT', message, range: given.nameRange, hint: `write: ${syntax.synopsis}` });
  return false;
}

/** Reports BLANK_NAME for `=value`. */
export function requireNames(syntax: Named, given: Arguments, report: Report): void {
  for (const [at, arg] of given.args.entries()) {
    if (!arg.startsWith('=')) continue;
    const message = `${syntax.name} has "${shorten(arg)}" without a name`;
    report({ code: 'BLANK_NAME', message, range: given.argRanges[at] ?? given.nameRange, hint: `write: ${syntax.synopsis}` });
  }
}

/** Enough of a value to recognise it in a message. */
export function shorten(value: string): string {
  return value.length <= 60 ? value : `${value.slice(0, 57)}...`;
}

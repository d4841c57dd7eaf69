import type { Flag } from './ast.ts';
import type { Report } from './diagnostics.ts';
import { shorten } from './instructions/argument-count.ts';
import type { Arguments, InstructionSyntax } from './instructions/syntax.ts';
import { nearest } from './nearest.ts';

/** Checks flags against the table of the instruction: known, given once, with a value where one is needed. */
export function checkFlags(
  { name, flags: known, ignoresFlags }: Pick<InstructionSyntax, 'name' | 'flags' | 'ignoresFlags'>,
  { flags: given, args }: Pick<Arguments, 'flags' | 'args'>,
  report: Report,
): void {
  if (ignoresFlags?.(args)) {
    warnOfIgnored(name, given, report);
    return;
  }
  const seen = new Set<string>();
  for (const flag of given) {
    const syntax = Object.hasOwn(known, flag.name) ? known[flag.name] : undefined;
    const shown = `--${shorten(flag.name)}`;
    const { range } = flag;
    if (!syntax) {
      report({
        code: 'UNKNOWN_FLAG',
        message: `${name} has no flag "${shown}"`,
        range,
        hint: hintFor(flag.name, Object.keys(known), name),
      });
      continue;
    }
    if (seen.has(flag.name) && !syntax.repeatable) {
      report({ code: 'DUPLICATE_FLAG', message: `${name} has the flag "${shown}" twice`, range, hint: 'leave one of the two' });
    }
    seen.add(flag.name);
    // An empty value is one, and as if the flag were not there; but not an empty truth value.
    if (syntax.value === 'boolean' ? flag.text === '' : flag.text === undefined) {
      report({ code: 'FLAG_VALUE_MISSING', message: `the flag "${shown}" has no value`, range, hint: `write: ${shown}=value` });
    } else if (syntax.value === 'boolean' && !/^(?:true|false)$/i.test(flag.text ?? 'true')) {
      const message = `the flag "${shown}" is true or false, not "${shorten(flag.text ?? '')}"`;
      report({ code: 'FLAG_VALUE_INVALID', message, range, hint: `write: ${shown}` });
    }
  }
}

function hintFor(flag: string, known: readonly string[], name: string): string {
  const near = nearest(flag, known);
  if (near) return `did you mean --${near}?`;
  return known.length > 0 ? `known are ${known.map((each) => `--${each}`).join(', ')}` : `${name} takes no flags`;
}

function warnOfIgnored(name: string, flags: readonly Flag[], report: Report): void {
  for (const flag of flags) {
    const message = `${name} ignores the flag "--${shorten(flag.name)}"`;
    report({ code: 'FLAG_IGNORED', message, range: flag.range, hint: 'remove it' });
  }
}

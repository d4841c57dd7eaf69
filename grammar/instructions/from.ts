import type { Report } from '../diagnostics.ts';
import { requireArguments, shorten } from './argument-count.ts';
import { type Arguments, type InstructionSyntax, required } from './syntax.ts';

export const from: InstructionSyntax = {
  name: 'FROM',
  layout: 'words',
  synopsis: 'FROM [--platform=platform] image [AS name]',
  flags: { platform: required('platform of the image') },
  check(given, report) {
    if (!requireArguments(from, 1, given, report) || given.args.length === 1) return;
    const hint = `write: ${from.synopsis}`;
    if (given.args[1]?.toLowerCase() !== 'as') {
      const message = `FROM has "${shorten(given.args[1] ?? '')}" where only AS and a name can follow`;
      report({ code: 'TOO_MANY_ARGUMENTS', message, range: given.argRanges[1] ?? given.nameRange, hint });
      return;
    }
    if (given.args.length === 2) {
      const range = given.argRanges[1] ?? given.nameRange;
      report({ code: 'MISSING_ARGUMENT', message: 'FROM has no name after AS', range, hint });
      return;
    }
    checkStageName(given, report);
    if (given.args.length === 3) return;
    const message = `FROM has "${shorten(given.args[3] ?? '')}" after the name of the stage`;
    report({ code: 'TOO_MANY_ARGUMENTS', message, range: given.argRanges[3] ?? given.nameRange, hint });
  },
};

function checkStageName(given: Arguments, report: Report): void {
  const name = given.args[2] ?? '';
  if (/^[a-z][a-z0-9_.-]*$/i.test(name)) return;
  const message = `"${shorten(name)}" cannot be the name of a stage`;
  const hint = 'a name begins with a letter; letters, digits, "-", "_" and "." follow';
  report({ code: 'STAGE_NAME_INVALID', message, range: given.argRanges[2] ?? given.nameRange, hint });
}

import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const shell: InstructionSyntax = {
  name: 'SHELL',
  layout: 'command',
  synopsis: 'SHELL ["program", "argument"...]',
  flags: {},
  check(given, report) {
    if (given.form === 'exec' || given.args[0] === '') {
      requireArguments(shell, 1, given.form === 'exec' ? given : { ...given, args: [] }, report);
      return;
    }
    const range = given.argRanges[0] ?? given.nameRange;
    report({ code: 'EXEC_FORM_REQUIRED', message: 'SHELL takes a JSON array of strings only', range, hint: `write: ${shell.synopsis}` });
  },
};

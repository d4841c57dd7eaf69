import { warnOfEmptyCommand } from './commands.ts';
import type { InstructionSyntax } from './syntax.ts';

export const cmd: InstructionSyntax = {
  name: 'CMD',
  layout: 'command',
  synopsis: 'CMD ["program", "argument"...] or CMD command',
  flags: {},
  check(given, report) {
    warnOfEmptyCommand(cmd, given, report);
  },
};

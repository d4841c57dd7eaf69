import { warnOfEmptyCommand } from './commands.ts';
import type { InstructionSyntax } from './syntax.ts';

export const entrypoint: InstructionSyntax = {
  name: 'ENTRYPOINT',
  layout: 'command',
  synopsis: 'ENTRYPOINT ["program", "argument"...] or ENTRYPOINT command',
  flags: {},
  check(given, report) {
    warnOfEmptyCommand(entrypoint, given, report);
  },
};

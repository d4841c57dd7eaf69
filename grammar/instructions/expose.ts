import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const expose: InstructionSyntax = {
  name: 'EXPOSE',
  layout: 'words',
  synopsis: 'EXPOSE port[/protocol]...',
  flags: {},
  check(given, report) {
    requireArguments(expose, 1, given, report);
  },
};

import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const workdir: InstructionSyntax = {
  name: 'WORKDIR',
  layout: 'text',
  synopsis: 'WORKDIR path',
  flags: {},
  check(given, report) {
    requireArguments(workdir, 1, given, report);
  },
};

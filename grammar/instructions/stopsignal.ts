import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const stopsignal: InstructionSyntax = {
  name: 'STOPSIGNAL',
  layout: 'text',
  synopsis: 'STOPSIGNAL signal',
  flags: {},
  ignoresFlags: () => true,
  check(given, report) {
    requireArguments(stopsignal, 1, given, report);
  },
};

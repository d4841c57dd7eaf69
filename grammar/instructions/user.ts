import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const user: InstructionSyntax = {
  name: 'USER',
  layout: 'text',
  synopsis: 'USER user[:group]',
  flags: {},
  check(given, report) {
    requireArguments(user, 1, given, report);
  },
};

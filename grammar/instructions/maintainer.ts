import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const maintainer: InstructionSyntax = {
  name: 'MAINTAINER',
  layout: 'text',
  synopsis: 'MAINTAINER name',
  flags: {},
  check(given, report) {
    requireArguments(maintainer, 1, given, report);
  },
};

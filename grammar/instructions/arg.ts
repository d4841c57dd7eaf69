import { requireArguments, requireNames } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const arg: InstructionSyntax = {
  name: 'ARG',
  layout: 'names',
  synopsis: 'ARG name[=default]...',
  flags: {},
  ignoresFlags: () => true,
  check(given, report) {
    requireArguments(arg, 1, given, report);
    requireNames(arg, given, report);
  },
};

import { checkAssignments } from './assignments.ts';
import type { InstructionSyntax } from './syntax.ts';

export const label: InstructionSyntax = {
  name: 'LABEL',
  layout: 'assignments',
  synopsis: 'LABEL name=value...',
  flags: {},
  check(given, report) {
    checkAssignments(label, given, report);
  },
};

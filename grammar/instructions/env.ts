import { checkAssignments } from './assignments.ts';
import type { InstructionSyntax } from './syntax.ts';

export const env: InstructionSyntax = {
  name: 'ENV',
  layout: 'assignments',
  synopsis: 'ENV name=value...',
  flags: {},
  check(given, report) {
    checkAssignments(env, given, report);
  },
};

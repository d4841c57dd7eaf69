import type { InstructionSyntax } from './syntax.ts';

export const onbuild: InstructionSyntax = {
  name: 'ONBUILD',
  layout: 'trigger',
  synopsis: 'ONBUILD instruction',
  flags: {},
  // What it triggers is no argument but an instruction, checked where it is made.
  check() {},
};

/** Instructions that a trigger cannot be. */
export const notTriggers: readonly string[] = ['FROM', 'MAINTAINER', 'ONBUILD'];

import type { Rule } from '../rule.ts';

export const multipleInstructionsDisallowed: Rule = {
  name: 'MultipleInstructionsDisallowed',
  description: 'Multiple instructions of the same type should not be used in the same stage',
  url: 'https://docs.docker.com/go/dockerfile/rule/multiple-instructions-disallowed/',
  step({ instruction: { name, nameAsWritten }, earlier }, report) {
    const before = ['CMD', 'ENTRYPOINT', 'HEALTHCHECK'].includes(name) ? earlier.get(name) : undefined;
    if (!before) return;
    // The earlier one has no effect, so it is the one to look at.
    const message = `Multiple ${nameAsWritten} instructions should not be used in the same stage because only the last one will be used`;
    report(message, before);
  },
};

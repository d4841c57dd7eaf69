import type { Rule } from '../rule.ts';

export const jsonArgsRecommended: Rule = {
  name: 'JSONArgsRecommended',
  description: 'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  url: 'https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
  step({ instruction: { name, nameAsWritten, form }, state, lines }, report) {
    // Whoever sets a SHELL has chosen what runs the command.
    if ((name !== 'CMD' && name !== 'ENTRYPOINT') || form !== 'shell' || state.config.Shell?.length) return;
    report(`JSON arguments recommended for ${nameAsWritten} to prevent unintended behavior related to OS signals`, lines);
  },
};

import { exposedPorts } from '../exposed-ports.ts';
import type { Rule } from '../rule.ts';

export const exposeProtoCasing: Rule = {
  name: 'ExposeProtoCasing',
  description: 'Protocol in EXPOSE instruction should be lowercase',
  url: 'https://docs.docker.com/go/dockerfile/rule/expose-proto-casing/',
  step(step, report) {
    for (const { text, protocol } of exposedPorts(step)) {
      if (protocol !== protocol.toLowerCase()) report(`Defined protocol '${text}' in EXPOSE instruction should be lowercase`, step.lines);
    }
  },
};

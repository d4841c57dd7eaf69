import { exposedPorts } from '../exposed-ports.ts';
import type { Rule } from '../rule.ts';

export const exposeInvalidFormat: Rule = {
  name: 'ExposeInvalidFormat',
  description: 'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  url: 'https://docs.docker.com/go/dockerfile/rule/expose-invalid-format/',
  step(step, report) {
    for (const { text, address, hostPort } of exposedPorts(step)) {
      if (address === '' && hostPort === '') continue;
      report(`EXPOSE instruction should not define an IP address or host-port mapping, found '${text}'`, step.lines);
    }
  },
};

import { testPlans } from '../plan-of.ts';

testPlans('SHELL', [
  {
    name: 'is stored',
    text: 'FROM scratch\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]',
    config: { Shell: ['/bin/bash', '-o', 'pipefail', '-c'] },
    history: ['SHELL [/bin/bash -o pipefail -c]'],
  },
  {
    name: 'counts for what follows',
    text: 'FROM debian\nRUN a\nSHELL ["/bin/bash", "-c"]\nRUN b',
    layers: [{ argv: ['/bin/sh', '-c', 'a'] }, { argv: ['/bin/bash', '-c', 'b'] }],
  },
  { name: 'of the base counts', text: 'FROM app\nRUN a', layers: [{ argv: ['/bin/bash', '-c', 'a'] }] },
]);

import { testErrors, testPlans } from '../plan-of.ts';

// BuildKit's `parsePortSpec`; the words are sorted before they are expanded.
testPlans('EXPOSE', [
  { name: 'is tcp', text: 'FROM scratch\nEXPOSE 80', config: { ExposedPorts: { '80/tcp': {} } }, history: ['EXPOSE [80/tcp]'] },
  { name: 'sorts its words', text: 'FROM scratch\nEXPOSE 90 53/udp 8080/TCP', history: ['EXPOSE [53/udp 8080/tcp 90/tcp]'] },
  { name: 'knows sctp', text: 'FROM scratch\nEXPOSE 1/sctp', history: ['EXPOSE [1/sctp]'] },
  { name: 'counts out a range', text: 'FROM scratch\nEXPOSE 8000-8002/udp', history: ['EXPOSE [8000/udp 8001/udp 8002/udp]'] },
  { name: 'drops what belongs to the host', text: 'FROM scratch\nEXPOSE 127.0.0.1:80:8080', history: ['EXPOSE [8080/tcp]'] },
  { name: 'adds to those of the base', text: 'FROM app\nEXPOSE 81', config: { ExposedPorts: { '80/tcp': {}, '81/tcp': {} } } },
  {
    name: 'takes several ports from one variable',
    text: 'FROM scratch\nENV p="80 81/udp"\nEXPOSE $p',
    history: ['ENV p=80 81/udp', 'EXPOSE [80/tcp 81/udp]'],
  },
]);

testErrors(
  'EXPOSE',
  ['x', '80/icmp', '0-65536', '9-8', '-1', '1.2.3:80:80', '1-2:1-3', '99999999999'].map((port) => ({
    name: `refuses "${port}"`,
    text: `FROM scratch\nEXPOSE 1 ${port}`,
    code: 'DOCKERFILE_INVALID',
    at: '2:10',
  })),
);

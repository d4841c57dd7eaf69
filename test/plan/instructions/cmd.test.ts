import { testPlans } from '../plan-of.ts';

// `ArgsEscaped` is set by every CMD; the history is Go's %q of the list.
testPlans('CMD', [
  {
    name: 'takes an array as it is',
    text: 'FROM scratch\nCMD ["a", "b c"]',
    config: { Cmd: ['a', 'b c'], ArgsEscaped: true },
    history: ['CMD ["a" "b c"]'],
  },
  {
    name: 'gives a text to the shell',
    text: 'FROM scratch\nCMD a "b c" $d',
    config: { Cmd: ['/bin/sh', '-c', 'a "b c" $d'] },
    history: ['CMD ["/bin/sh" "-c" "a \\"b c\\" $d"]'],
  },
  { name: 'expands nothing', text: 'FROM scratch\nENV a=1\nCMD ["$a"]', config: { Cmd: ['$a'] } },
  {
    name: 'takes the SHELL of the stage',
    text: 'FROM scratch\nSHELL ["/bin/ash", "-ec"]\nCMD x',
    config: { Cmd: ['/bin/ash', '-ec', 'x'] },
  },
  { name: 'takes the SHELL of the base', text: 'FROM app\nCMD x', config: { Cmd: ['/bin/bash', '-c', 'x'] } },
  { name: 'replaces that of the base', text: 'FROM debian\nCMD ["x"]', config: { Cmd: ['x'] } },
  { name: 'is that of the base without it', text: 'FROM debian\nENV a=1', config: { Cmd: ['bash'], ArgsEscaped: null } },
  { name: 'of an empty array is none', text: 'FROM debian\nCMD []', config: { Cmd: null }, history: ['CMD []'] },
]);

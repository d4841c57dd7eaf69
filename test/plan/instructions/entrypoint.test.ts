import { testPlans } from '../plan-of.ts';

testPlans('ENTRYPOINT', [
  {
    name: 'takes an array as it is',
    text: 'FROM scratch\nENTRYPOINT ["a", "b"]',
    config: { Entrypoint: ['a', 'b'], Cmd: null, ArgsEscaped: null },
    history: ['ENTRYPOINT ["a" "b"]'],
  },
  { name: 'gives a text to the shell', text: 'FROM scratch\nENTRYPOINT exec a', config: { Entrypoint: ['/bin/sh', '-c', 'exec a'] } },
  { name: 'resets the CMD of the base', text: 'FROM debian\nENTRYPOINT ["a"]', config: { Cmd: null } },
  {
    name: 'keeps a CMD of this stage before it',
    text: 'FROM debian\nCMD ["c"]\nENTRYPOINT ["a"]',
    config: { Entrypoint: ['a'], Cmd: ['c'] },
  },
  {
    name: 'keeps a CMD of this stage after it',
    text: 'FROM debian\nENTRYPOINT ["a"]\nCMD ["c"]',
    config: { Entrypoint: ['a'], Cmd: ['c'] },
  },
  {
    name: 'resets the CMD of the stage that this one is from',
    text: 'FROM debian AS x\nCMD ["c"]\nFROM x\nENTRYPOINT ["a"]',
    config: { Cmd: null },
  },
  { name: 'and CMD of the base stay without it', text: 'FROM app\nENV a=1', config: { Entrypoint: ['/entry'], Cmd: ['serve'] } },
  { name: 'of an empty array is none', text: 'FROM app\nENTRYPOINT []', config: { Entrypoint: null, Cmd: null } },
]);

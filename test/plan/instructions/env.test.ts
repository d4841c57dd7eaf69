// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import { defaultPath, testPlans } from '../plan-of.ts';

// History texts: what BuildKit writes (`dispatchEnv`); values: Docker's reference of ENV.
testPlans('ENV', [
  { name: 'sets a variable', text: 'FROM scratch\nENV a=1', config: { Env: [defaultPath, 'a=1'] }, history: ['ENV a=1'] },
  { name: 'sets several', text: 'FROM scratch\nENV a=1 b=2', config: { Env: [defaultPath, 'a=1', 'b=2'] }, history: ['ENV a=1 b=2'] },
  {
    name: 'drops quotes',
    text: 'FROM scratch\nENV a="b c" d=\'e f\'',
    config: { Env: [defaultPath, 'a=b c', 'd=e f'] },
    history: ['ENV a=b c d=e f'],
  },
  {
    name: 'takes the rest of the line in the old form',
    text: 'FROM scratch\nENV a b c',
    config: { Env: [defaultPath, 'a=b c'] },
    history: ['ENV a=b c'],
  },
  { name: 'escapes by the directive', text: '# escape=`\nFROM scratch\nENV a=`$b c=\\d', config: { Env: [defaultPath, 'a=$b', 'c=\\d'] } },
  { name: 'replaces in place', text: 'FROM scratch\nENV a=1 b=2\nENV a=3', config: { Env: [defaultPath, 'a=3', 'b=2'] } },
  { name: 'replaces what the base has', text: 'FROM debian\nENV X=mine', config: { Env: ['PATH=/usr/bin:/bin', 'X=mine'] } },
  { name: 'extends PATH', text: 'FROM debian\nENV PATH=/opt:$PATH', config: { Env: ['PATH=/opt:/usr/bin:/bin', 'X=base'] } },
  {
    name: 'takes one snapshot for the whole line',
    text: 'FROM scratch\nENV a=1\nENV a=2 b=$a',
    config: { Env: [defaultPath, 'a=2', 'b=1'] },
  },
  {
    name: 'keeps the text of a single-quoted variable',
    text: "FROM scratch\nENV a=1\nENV b='$a'",
    config: { Env: [defaultPath, 'a=1', 'b=$a'] },
  },
  { name: 'expands names too', text: 'FROM scratch\nENV a=k\nENV ${a}1=v', config: { Env: [defaultPath, 'a=k', 'k1=v'] } },
  { name: 'may be empty', text: 'FROM scratch\nENV a=', config: { Env: [defaultPath, 'a='] }, history: ['ENV a='] },
  {
    name: 'takes names that JavaScript objects have',
    text: 'FROM scratch\nENV __proto__=1 constructor=2',
    config: { Env: [defaultPath, '__proto__=1', 'constructor=2'] },
  },
]);

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import { testErrors, testPlans } from '../plan-of.ts';

// What is in effect is read from a LABEL; history texts as BuildKit writes them (`dispatchArg`).
const label = (value: string) => ({ Labels: { v: value } });

testPlans('ARG', [
  { name: 'has its default', text: 'FROM scratch\nARG a=1\nLABEL v=$a', config: label('1'), history: ['ARG a=1', 'LABEL v=1'] },
  {
    name: 'has the build argument instead',
    text: 'FROM scratch\nARG a=1\nLABEL v=$a',
    options: { buildArgs: { a: '2' } },
    config: label('2'),
    history: ['ARG a=2', 'LABEL v=2'],
  },
  { name: 'may have none', text: 'FROM scratch\nARG a\nLABEL v=${a-unset}', config: label('unset'), history: ['ARG a', 'LABEL v=unset'] },
  {
    name: 'may be empty, which is not unset',
    text: 'FROM scratch\nARG a=\nLABEL v=${a-unset}',
    config: label(''),
    history: ['ARG a=', 'LABEL v='],
  },
  {
    name: 'may stand several times in a line',
    text: 'FROM scratch\nARG a=1 b=2\nLABEL v=$a$b',
    config: label('12'),
    history: ['ARG a=1 b=2', 'LABEL v=12'],
  },
  { name: 'sees those before it in the line', text: 'FROM scratch\nARG a=1 b=$a\nLABEL v=$b', config: label('1') },
  { name: 'expands its default', text: 'FROM debian\nARG a=${X}!\nLABEL v=$a', config: label('base!') },
  {
    name: 'does not expand a default that is not used',
    text: 'FROM scratch\nARG a=${b:?gone}\nLABEL v=$a',
    options: { buildArgs: { a: '2' } },
    config: label('2'),
  },
  { name: 'drops quotes', text: 'FROM scratch\nARG a="b c"\nLABEL v=$a', config: label('b c') },
]);

testErrors('ARG', [
  {
    name: 'fails where its default cannot be expanded',
    text: 'FROM scratch\nARG a=${b:?gone}',
    code: 'EXPANSION_FAILED',
    at: '2:5',
    message: /gone/,
  },
]);

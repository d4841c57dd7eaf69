// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import { testErrors, testPlans } from '../plan-of.ts';

const plain = { exclude: [], link: false };
const part = (sources: readonly string[], parents = false, input = 1) => ({ input, sources, parents, unpack: false });

testPlans('COPY', [
  {
    name: 'takes files of the context',
    text: 'FROM scratch\nCOPY a b /dst/',
    layers: [
      { kind: 'copy', instruction: 'COPY', parts: [part(['a', 'b'])], destination: '/dst/', ...plain, chown: undefined, chmod: undefined },
    ],
    history: ['COPY a b /dst/ # buildkit'],
  },
  {
    name: 'takes an array',
    text: 'FROM scratch\nCOPY ["a b", "c"]',
    layers: [{ parts: [part(['a b'])], destination: '/c' }],
    history: ['COPY a b c # buildkit'],
  },
  {
    name: 'goes to the working directory',
    text: 'FROM app\nCOPY a x',
    layers: [{ destination: '/srv/x' }],
    history: ['COPY a x # buildkit'],
  },
  {
    name: '"." is the working directory',
    text: 'FROM app\nCOPY . .',
    layers: [{ parts: [part(['.'])], destination: '/srv/' }],
    history: ['COPY . . # buildkit'],
  },
  { name: '"./" is the working directory', text: 'FROM app\nCOPY . ./', layers: [{ destination: '/srv/' }] },
  { name: '"." of the root is the root', text: 'FROM scratch\nCOPY . .', layers: [{ destination: '/' }] },
  { name: 'keeps the slash at the end', text: 'FROM app\nCOPY a b//c/../d/', layers: [{ destination: '/srv/b/d/' }] },
  { name: '/. at the end is a slash', text: 'FROM app\nCOPY a b/.', layers: [{ destination: '/srv/b/' }] },
  { name: 'stops at the root', text: 'FROM app\nCOPY a ../../../b', layers: [{ destination: '/b' }] },
  {
    name: 'leaves the sources as written',
    text: 'FROM scratch\nCOPY /a ./b/ ../c *.[ch] /',
    layers: [{ parts: [part(['/a', './b/', '../c', '*.[ch]'])] }],
  },
  {
    name: 'expands all words',
    text: 'FROM scratch\nENV d=x\nCOPY $d/a "${d}" /$d/',
    layers: [{ parts: [part(['x/a', 'x'])], destination: '/x/' }],
    history: ['ENV d=x', 'COPY x/a x /x/ # buildkit'],
  },
  {
    name: 'has owners and modes, expanded',
    text: 'FROM scratch\nARG u=7\nCOPY --chown=$u:$u --chmod=0640 a /',
    layers: [{ chown: '7:7', chmod: '0640' }],
    history: ['ARG u=7', 'COPY --chown=7:7 --chmod=0640 a / # buildkit'],
  },
  ...['u=rwX,go=rX', '755', 'a+x', '04755', '+x'].map((mode) => ({
    name: `takes the mode "${mode}"`,
    text: `FROM scratch\nCOPY --chmod=${mode} a /`,
    layers: [{ chmod: mode }],
  })),
  {
    name: 'has other flags, of which the history shows one',
    text: 'FROM scratch\nCOPY --link --parents --exclude=*.o --exclude=a/b x /y/',
    layers: [{ link: true, parts: [part(['x'], true)], exclude: ['*.o', 'a/b'] }],
    history: ['COPY --parents x /y/ # buildkit'],
  },
  { name: 'a flag may be false', text: 'FROM scratch\nCOPY --link=false x /y/', layers: [{ link: false }] },
  {
    name: 'takes heredocs',
    text: 'FROM scratch\nENV v=1\nCOPY <<a <<"b" /d/\n$v "q" \\$v\na\n$v\nb',
    layers: [{ parts: [part(['a', 'b'])], destination: '/d/' }],
    history: ['ENV v=1', 'COPY <<a <<b /d/ # buildkit'],
  },
  {
    name: 'copies heredocs after all files',
    text: 'FROM scratch\nCOPY --parents a <<x b <<y /d/\n1\nx\n2\ny',
    layers: [{ parts: [part(['a', 'b'], true), part(['x', 'y'], false, 2)] }],
    history: ['COPY --parents a b <<x <<y /d/ # buildkit'],
  },
  { name: 'expands nothing in --exclude', text: 'FROM scratch\nARG x=1\nCOPY --exclude=$x a /', layers: [{ exclude: ['$x'] }] },
  {
    name: 'keeps a heredoc name from being a pattern',
    text: 'FROM scratch\nCOPY <<a*b /d\nx\na*b',
    layers: [{ parts: [part(['a\\*b'])] }],
  },
]);

testErrors('COPY', [
  { name: 'refuses a URL', text: 'FROM scratch\nCOPY https://a/b /', code: 'DOCKERFILE_INVALID', at: '2:6', hint: /ADD/ },
  { name: 'refuses a mode that is none', text: 'FROM scratch\nCOPY --chmod=9 a /', code: 'DOCKERFILE_INVALID', at: '2:6', hint: /0755/ },
  { name: 'refuses a mode that is too large', text: 'FROM scratch\nCOPY --chmod=17777 a /', code: 'DOCKERFILE_INVALID', at: '2:6' },
  {
    name: 'expands nothing in --from',
    text: 'FROM scratch\nARG x=y\nCOPY --from=$x a /',
    code: 'DOCKERFILE_INVALID',
    at: '3:6',
    hint: /AS name/,
  },
  {
    name: 'has no heredoc from elsewhere',
    text: 'FROM scratch AS s\nFROM scratch\nCOPY --from=s <<b /d/\nx\nb',
    code: 'DOCKERFILE_INVALID',
    at: '3:6',
  },
  { name: 'takes no path as the name of a heredoc', text: 'FROM scratch\nCOPY <<../b /d/\nx\n../b', code: 'DOCKERFILE_INVALID' },
  {
    name: 'fails at the word that cannot be expanded',
    text: 'FROM scratch\nCOPY a ${b:?gone} /',
    code: 'EXPANSION_FAILED',
    at: '2:8',
    message: /gone/,
  },
]);

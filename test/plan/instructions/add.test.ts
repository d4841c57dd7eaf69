import { testErrors, testPlans } from '../plan-of.ts';

const sum = `sha256:${'1'.repeat(64)}`;
const commit = 'a'.repeat(40);
const part = (sources: readonly string[], unpack = false, input = 1) => ({ input, sources, parents: false, unpack });

testPlans('ADD', [
  {
    name: 'unpacks archives',
    text: 'FROM scratch\nADD a.tar /d/',
    layers: [{ instruction: 'ADD', parts: [part(['a.tar'], true)], destination: '/d/' }],
    history: ['ADD a.tar /d/ # buildkit'],
  },
  { name: 'leaves them packed where asked', text: 'FROM scratch\nADD --unpack=false a.tar /d/', layers: [{ parts: [part(['a.tar'])] }] },
  {
    name: 'has owner, mode, link and exclude',
    text: 'FROM scratch\nADD --chown=a:b --chmod=600 --link --exclude=x a /d',
    layers: [{ chown: 'a:b', chmod: '600', link: true, exclude: ['x'] }],
    history: ['ADD --chown=a:b --chmod=600 a /d # buildkit'],
  },
  { name: 'takes heredocs', text: 'FROM scratch\nADD <<f /d\nx\nf', layers: [{ parts: [part(['f'])] }] },
  {
    name: 'fetches a URL, and leaves an archive packed',
    text: 'FROM scratch\nADD https://a.example/d/b.tgz?x=1#y /d/',
    layers: [{ parts: [part(['b.tgz'])], destination: '/d/' }],
    history: ['ADD https://a.example/d/b.tgz?x=1#y /d/ # buildkit'],
  },
  { name: 'unpacks that where asked', text: 'FROM scratch\nADD --unpack http://a/b.tgz /d/', layers: [{ parts: [part(['b.tgz'], true)] }] },
  {
    name: 'expands variables in a URL and in its checksum',
    text: `FROM scratch\nARG V=1 S=${sum}\nADD --checksum=$S https://a/b-$V /`,
    layers: [{ parts: [part(['b-1'])] }],
    history: ['ARG V=1 S=sha256:1111111111111111111111111111111111111111111111111111111111111111', 'ADD https://a/b-1 / # buildkit'],
  },
  {
    name: 'takes the file of a URL by its name, whatever that is',
    text: 'FROM scratch\nADD https://a/b%5B%2A%5D /',
    layers: [{ parts: [part(['b\\[\\*\\]'])] }],
  },
  {
    name: 'fetches a repository',
    text: 'FROM scratch\nADD --keep-git-dir --chown=1 https://a/b.git?branch=x&subdir=d /e',
    layers: [{ parts: [part(['/'])], destination: '/e', chown: '1' }],
    history: ['ADD --chown=1 https://a/b.git?branch=x&subdir=d /e # buildkit'],
  },
  { name: 'fetches a repository by ssh', text: 'FROM scratch\nADD git@a.example:b /e', layers: [{ parts: [part(['/'])] }] },
  {
    name: 'has a checksum for a repository',
    text: `FROM scratch\nADD --checksum=${commit} git://a/b /e`,
    layers: [{ parts: [part(['/'])] }],
  },
  {
    name: 'takes what looks like a path for one',
    text: 'FROM scratch\nADD github.com/a/b /e',
    layers: [{ parts: [part(['github.com/a/b'], true)] }],
  },
]);

testErrors('ADD', [
  { name: 'has a checksum for URLs only', text: `FROM scratch\nADD --checksum=${sum} a /`, code: 'DOCKERFILE_INVALID', at: '2:5' },
  {
    name: 'has a checksum for one source only',
    text: `FROM scratch\nADD --checksum=${sum} https://a/b https://a/c /`,
    code: 'DOCKERFILE_INVALID',
    at: '2:5',
    hint: /for each source/,
  },
  ...['sha256:1', 'sha512:1', `md5:${'1'.repeat(32)}`, commit].map((text) => ({
    name: `has no checksum "${text}" of a file`,
    text: `FROM scratch\nADD --checksum=${text} https://a/b /`,
    code: 'DOCKERFILE_INVALID' as const,
    at: '2:5',
    hint: /sha256/,
  })),
  {
    name: 'refuses options of a repository that do not exist',
    text: 'FROM scratch\nADD https://a/b.git?brunch=x /',
    code: 'DOCKERFILE_INVALID',
    at: '2:5',
    message: /brunch/,
  },
  ...[
    [`--checksum=${commit}`, `?checksum=${'b'.repeat(40)}`],
    ['--keep-git-dir=false', '?keep-git-dir'],
    ['--keep-git-dir', '?keep-git-dir=0'],
  ].map(([flag = '', query]) => ({
    name: `refuses ${flag} with ${query}`,
    text: `FROM scratch\nADD ${flag} https://a/b.git${query} /`,
    code: 'DOCKERFILE_INVALID' as const,
    at: flag.includes('checksum') ? '2:5' : '2:1',
  })),
]);

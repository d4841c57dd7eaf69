import { testErrors, testPlans } from '../plan-of.ts';

testPlans('ADD', [
  {
    name: 'unpacks archives',
    text: 'FROM scratch\nADD a.tar /d/',
    layers: [{ instruction: 'ADD', sources: ['a.tar'], destination: '/d/', unpack: true }],
    history: ['ADD a.tar /d/ # buildkit'],
  },
  { name: 'leaves them packed where asked', text: 'FROM scratch\nADD --unpack=false a.tar /d/', layers: [{ unpack: false }] },
  {
    name: 'has owner, mode, link and exclude',
    text: 'FROM scratch\nADD --chown=a:b --chmod=600 --link --exclude=x a /d',
    layers: [{ chown: 'a:b', chmod: '600', link: true, exclude: ['x'] }],
    history: ['ADD --chown=a:b --chmod=600 a /d # buildkit'],
  },
  { name: 'takes heredocs', text: 'FROM scratch\nADD <<f /d\nx\nf', layers: [{ sources: ['f'], unpack: false }] },
]);

testErrors('ADD', [
  ...['https://a.example/b.tgz', 'http://a/b'].map((url) => ({
    name: `does not fetch "${url}" yet`,
    text: `FROM scratch\nADD a ${url} /`,
    code: 'UNSUPPORTED' as const,
    at: '2:7',
    hint: /curl/,
  })),
  ...['https://a.example/b.git', 'https://a.example/b.git#v1:sub', 'git@a.example:b', 'ssh://git@a/b', 'git://a/b'].map((url) => ({
    name: `does not clone "${url}" yet`,
    text: `FROM scratch\nADD ${url} /`,
    code: 'UNSUPPORTED' as const,
    at: '2:5',
    hint: /git/,
  })),
  { name: 'has a checksum for URLs only', text: 'FROM scratch\nADD --checksum=sha256:1 a /', code: 'DOCKERFILE_INVALID', at: '2:5' },
]);

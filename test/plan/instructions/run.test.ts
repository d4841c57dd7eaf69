import { BuildError } from '../../../src/diagnostics/build-error.ts';
import { testErrors, testPlans } from '../plan-of.ts';

const env = ['PATH=/usr/bin:/bin', 'X=base'];

testPlans('RUN', [
  {
    name: 'gives a text to the shell',
    text: 'FROM debian\nRUN make "$X" && true',
    layers: [{ kind: 'exec', argv: ['/bin/sh', '-c', 'make "$X" && true'], env, cwd: '/', user: '', mounts: [], network: 'default' }],
    history: ['RUN /bin/sh -c make "$X" && true # buildkit'],
  },
  {
    name: 'takes an array as it is',
    text: 'FROM debian\nRUN ["a", "$X"]',
    layers: [{ argv: ['a', '$X'] }],
    history: ['RUN a $X # buildkit'],
  },
  {
    name: 'joins continued lines',
    text: 'FROM debian\nRUN a \\\n  # note\n  && b',
    layers: [{ argv: ['/bin/sh', '-c', 'a   && b'] }],
  },
  {
    name: 'gives ARGs to the program and to the history',
    text: 'FROM debian\nARG a=1\nARG b\nENV c=3\nRUN x',
    layers: [{ env: [...env, 'a=1', 'c=3'] }],
    history: ['ARG a=1', 'ARG b', 'ENV c=3', 'RUN |2 a=1 b= /bin/sh -c x # buildkit'],
  },
  {
    name: 'shows the value of an ENV that came after its ARG',
    text: 'FROM debian\nARG a=1\nENV a=2\nRUN x',
    layers: [{ env: [...env, 'a=2'] }],
    history: ['ARG a=1', 'ENV a=2', 'RUN |1 a=2 /bin/sh -c x # buildkit'],
  },
  {
    name: 'gets the proxies of the build arguments, in both cases, but shows them nowhere',
    text: 'FROM debian\nRUN x',
    options: { buildArgs: { http_proxy: 'http://p:1', NO_PROXY: 'a,b' } },
    layers: [{ env, proxyEnv: ['HTTP_PROXY=http://p:1', 'http_proxy=http://p:1', 'NO_PROXY=a,b', 'no_proxy=a,b'] }],
    history: ['RUN /bin/sh -c x # buildkit'],
  },
  {
    name: 'gets the proxies of the caller, where no build argument says otherwise',
    text: 'FROM debian\nRUN x',
    options: { buildArgs: { HTTP_PROXY: 'http://arg' }, environment: { HTTP_PROXY: 'http://env', https_proxy: 'http://s', HOME: '/root' } },
    layers: [{ env, proxyEnv: ['HTTP_PROXY=http://arg', 'http_proxy=http://arg', 'HTTPS_PROXY=http://s', 'https_proxy=http://s'] }],
  },
  {
    name: 'gets a proxy of the build arguments in spite of an ENV, but not one of the caller',
    text: 'FROM debian\nENV http_proxy=own https_proxy=own\nRUN x',
    options: { buildArgs: { Http_Proxy: 'http://arg' }, environment: { HTTPS_PROXY: 'http://s' } },
    layers: [
      {
        env: [...env, 'http_proxy=own', 'https_proxy=own'],
        proxyEnv: ['HTTP_PROXY=http://arg', 'http_proxy=http://arg', 'HTTPS_PROXY=http://s'],
      },
    ],
  },
  {
    name: 'takes a proxy in lower case where both are given',
    text: 'FROM debian\nRUN x',
    options: { buildArgs: { http_proxy: 'http://lower', HTTP_PROXY: 'http://upper' } },
    layers: [{ proxyEnv: ['HTTP_PROXY=http://lower', 'http_proxy=http://lower'] }],
  },
  {
    name: 'has a proxy in its environment and history where an ARG declares it',
    text: 'FROM debian\nARG HTTP_PROXY\nRUN x',
    options: { buildArgs: { HTTP_PROXY: 'http://p' } },
    layers: [{ env: [...env, 'HTTP_PROXY=http://p'], proxyEnv: ['HTTP_PROXY=http://p', 'http_proxy=http://p'] }],
    history: ['ARG HTTP_PROXY=http://p', 'RUN |1 HTTP_PROXY=http://p /bin/sh -c x # buildkit'],
  },
  { name: 'runs where WORKDIR is', text: 'FROM app\nRUN x', layers: [{ cwd: '/srv' }] },
  { name: 'has the network of the build', text: 'FROM debian\nRUN x', options: { network: 'none' }, layers: [{ network: 'none' }] },
  { name: 'may have no network', text: 'FROM debian\nRUN --network=none x', layers: [{ network: 'none' }] },
  {
    name: '--network=default is the network of the build',
    text: 'FROM debian\nRUN --network=default x',
    options: { network: 'host' },
    layers: [{ network: 'host' }],
  },
  {
    name: 'may say that it is sandboxed',
    text: 'FROM debian\nRUN --security=sandbox x',
    layers: [{ network: 'default', security: 'sandbox' }],
  },
  {
    name: 'has what was allowed',
    text: 'FROM debian\nRUN --network=host --security=insecure x',
    options: { allow: ['network.host', 'security.insecure'] },
    layers: [{ network: 'host', security: 'insecure' }],
  },
  {
    name: 'has the network of the machine in a build on that',
    text: 'FROM debian\nRUN --network=host x',
    options: { network: 'host' },
    layers: [{ network: 'host' }],
  },
  {
    name: 'gives a heredoc to the shell as one argument',
    text: 'FROM debian\nRUN <<EOF\na $X\nb\nEOF',
    layers: [{ argv: ['/bin/sh', '-c', 'a $X\nb\n'] }],
    history: ['RUN /bin/sh -c a $X\nb\n # buildkit'],
    names: ['[2/2] RUN <<EOF (a $X...)'],
  },
  {
    name: 'drops the tabs of <<-',
    text: 'FROM debian\nRUN <<-EOF\n\ta\n\tEOF',
    layers: [{ argv: ['/bin/sh', '-c', 'a\n'] }],
  },
  {
    name: 'gives a heredoc within a command back to the shell',
    text: 'FROM debian\nRUN cat <<EOF > /f\na\nEOF',
    layers: [{ argv: ['/bin/sh', '-c', 'cat <<EOF > /f\na\nEOF'] }],
  },
  {
    name: 'leaves the tabs of <<- to the shell, but not those of its end',
    text: 'FROM debian\nRUN cat <<-EOF\n\t\ta\n\tEOF',
    layers: [{ argv: ['/bin/sh', '-c', 'cat <<-EOF\n\t\ta\nEOF'] }],
  },
  {
    name: 'takes a heredoc for another descriptor as the command, too',
    text: 'FROM debian\nRUN 3<<"E F"\na\nE F',
    layers: [{ argv: ['/bin/sh', '-c', 'a\n'] }],
  },
  {
    name: 'gives two heredocs back to the shell',
    text: 'FROM debian\nRUN <<A cat <<B\na\nA\nb\nB',
    layers: [{ argv: ['/bin/sh', '-c', '<<A cat <<B\na\nA\nb\nB'] }],
  },
  {
    name: 'starts a heredoc that begins with #! as a file',
    text: 'FROM debian\nRUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF',
    layers: [
      {
        argv: ['/bin/sh', '-c', '/dev/pipes/EOF'],
        mounts: [{ type: 'bind', target: '/dev/pipes', input: 1, source: '/', writable: false }],
      },
    ],
  },
]);

const mounts = (...list: readonly object[]): readonly Readonly<Record<string, unknown>>[] => [{ mounts: list }];
const cache = { type: 'cache', target: '/c', id: '//c', sharing: 'shared', readonly: false, source: '/' };
const secret = { type: 'secret', id: 'k', target: '/run/secrets/k', required: false, uid: 0, gid: 0, mode: 0o400 };

testPlans('RUN --mount', [
  {
    name: 'of the context, read-only',
    text: 'FROM debian\nRUN --mount=target=/src,source=app x',
    layers: mounts({ type: 'bind', target: '/src', input: 1, source: '/app', writable: false }),
  },
  {
    name: 'bind has other words for its fields',
    text: 'FROM app\nRUN --mount=type=bind,dst=src,src=../../a/,rw x',
    layers: mounts({ type: 'bind', target: '/srv/src', input: 1, source: '/a', writable: true }),
  },
  {
    name: 'bind without target is the working directory',
    text: 'FROM app\nRUN --mount=type=bind x',
    layers: mounts({ type: 'bind', target: '/srv', input: 1, source: '/', writable: false }),
  },
  {
    name: 'of a stage and of an image',
    text: 'FROM scratch AS a\nCOPY x /\nFROM debian\nRUN --mount=from=a,target=/a --mount=from=busybox,target=/b x',
    layers: [
      {},
      ...mounts(
        { type: 'bind', target: '/a', input: 1, source: '/', writable: false },
        { type: 'bind', target: '/b', input: 2, source: '/', writable: false },
      ),
    ],
  },
  { name: 'cache has its target as id', text: 'FROM debian\nRUN --mount=type=cache,target=/c/ x', layers: mounts(cache) },
  {
    name: 'cache has all its fields',
    text: 'FROM debian\nRUN --mount=type=cache,target=/c,id=i,sharing=locked,uid=1,gid=2,mode=0700,ro x',
    layers: mounts({ ...cache, id: '/i', sharing: 'locked', readonly: true, owner: { uid: 1, gid: 2, mode: 0o700 } }),
  },
  {
    name: 'cache is within the namespace of the build',
    text: 'FROM debian\nRUN --mount=type=cache,target=/c x',
    options: { buildArgs: { BUILDKIT_CACHE_MOUNT_NS: 'ns' } },
    layers: mounts({ ...cache, id: 'ns//c' }),
  },
  {
    name: 'tmpfs has a size',
    text: 'FROM debian\nRUN --mount=type=tmpfs,target=/t,size=64m --mount=type=tmpfs,target=/u x',
    layers: mounts({ type: 'tmpfs', target: '/t', readonly: false, size: 67108864 }, { type: 'tmpfs', target: '/u', readonly: false }),
  },
  {
    name: 'cache begins with files of a stage',
    text: 'FROM scratch AS a\nCOPY x /\nFROM debian\nRUN --mount=type=cache,target=/c,from=a,source=b,uid=1 x',
    layers: [{}, ...mounts({ ...cache, source: '/b', input: 1 })],
  },
  {
    name: 'cache shows a part of itself',
    text: 'FROM debian\nRUN --mount=type=cache,target=/c,source=../b x',
    layers: mounts({ ...cache, source: '/b' }),
  },
  {
    name: 'ssh is a socket, counted among all of them',
    text: 'FROM debian\nRUN --mount=type=ssh,id=k,target=a/s,uid=3,mode=07777,required --mount=type=ssh x',
    layers: [
      {
        mounts: [
          { type: 'ssh', id: 'k', target: '/a/s', required: true, uid: 3, gid: 0, mode: 0o777 },
          { type: 'ssh', id: 'default', target: '/run/buildkit/ssh_agent.1', required: false, uid: 0, gid: 0, mode: 0o600 },
        ],
        env: [...env, 'SSH_AUTH_SOCK=/a/s'],
      },
    ],
  },
  {
    name: 'ssh leaves the variable of the stage as it is',
    text: 'FROM debian\nENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh x',
    layers: [{ env: [...env, 'SSH_AUTH_SOCK=/mine'] }],
  },
  {
    name: 'secret has its place in WORKDIR',
    text: 'FROM app\nRUN --mount=type=secret,id=k,target=k x',
    layers: mounts({ ...secret, target: '/srv/k' }),
  },
  { name: 'secret is a file in /run/secrets', text: 'FROM debian\nRUN --mount=type=secret,id=k x', layers: mounts(secret) },
  {
    name: 'secret has its base name there',
    text: 'FROM debian\nRUN --mount=type=secret,id=a/k x',
    layers: mounts({ ...secret, id: 'a/k' }),
  },
  {
    name: 'secret is a variable only',
    text: 'FROM debian\nRUN --mount=type=secret,id=k,env=K x',
    layers: mounts({ type: 'secret', id: 'k', env: 'K', required: false, uid: 0, gid: 0, mode: 0o400 }),
  },
  {
    name: 'secret is a variable and a file',
    text: 'FROM debian\nRUN --mount=type=secret,id=k,env=K,target=/k,required,mode=0440,uid=3,gid=4 x',
    layers: mounts({ type: 'secret', id: 'k', target: '/k', env: 'K', required: true, uid: 3, gid: 4, mode: 0o440 }),
  },
  {
    name: 'secret takes its id from its target',
    text: 'FROM debian\nRUN --mount=type=secret,target=/etc/k,required=false x',
    layers: mounts({ ...secret, target: '/etc/k' }),
  },
  {
    name: 'expands values',
    text: 'FROM debian\nARG d=/c\nRUN --mount=type=cache,target=$d,id=$d x',
    layers: mounts({ ...cache, id: '//c' }),
  },
  {
    name: 'asks for devices, and gets those that are granted',
    text: 'FROM debian\nRUN --device=a/b=c,required --device=name=d/e,required=0 --device="f/g=*" x',
    options: { grantDevices: (asked: readonly { name: string }[]) => asked.slice(1).map(({ name }) => `${name}!`) },
    layers: [
      {
        devices: {
          asked: [
            { name: 'a/b=c', required: true },
            { name: 'd/e', required: false },
            { name: 'f/g=*', required: false },
          ],
          given: ['d/e!', 'f/g=*!'],
        },
      },
    ],
  },
  {
    name: 'quotes a field that has a comma',
    text: `FROM debian\nRUN --mount=type=cache,\\"target=/c,d\\" x`,
    layers: mounts({ ...cache, target: '/c,d', id: '//c,d' }),
  },
  {
    name: 'has no quotes of its own',
    text: `FROM debian\nRUN --mount="type=cache,target=/c d" x`,
    layers: mounts({ ...cache, target: '/c d', id: '//c d' }),
  },
]);

const run = (flag: string): string => `FROM debian\nRUN ${flag} x`;
const invalidMount = (name: string, fields: string, hint?: RegExp) =>
  ({ name, text: run(`--mount=${fields}`), code: 'DOCKERFILE_INVALID', at: '2:5', ...(hint && { hint }) }) as const;

testErrors('RUN', [
  invalidMount('has no mount over the root', 'type=bind,target=/'),
  invalidMount('has no mount over a working directory that is the root', 'type=cache'),
  invalidMount('knows the nearest field', 'type=cache,tarqet=/c', /"target"/),
  invalidMount('knows the nearest type', 'type=cahce,target=/c', /"cache"/),
  invalidMount('knows the nearest way of sharing', 'type=cache,target=/c,sharing=lockd', /"locked"/),
  invalidMount('refuses a field of another type', 'type=bind,target=/c,size=1', /for mounts of type tmpfs/),
  invalidMount('refuses a field without its value', 'type=bind,target'),
  invalidMount('refuses a mode that is not octal', 'type=cache,target=/c,mode=9'),
  invalidMount('refuses an id that is too large', 'type=cache,target=/c,uid=4294967296'),
  invalidMount('refuses a size that is none', 'type=tmpfs,target=/c,size=lots'),
  invalidMount('refuses a secret without a name', 'type=secret'),
  invalidMount('refuses a secret with two names', 'type=secret,id=a,source=b'),
  invalidMount('refuses what is neither true nor false', 'target=/c,ro=maybe'),
  invalidMount('has no source for ssh', 'type=ssh,source=a'),
  {
    name: 'is insecure only where that is allowed',
    text: run('--security=insecure'),
    options: { allow: ['network.host'] },
    code: 'NOT_ALLOWED',
    at: '2:5',
    hint: /--allow security.insecure/,
  },
  {
    name: 'has the devices only that are granted',
    text: run('--device=a/b=c'),
    options: {
      grantDevices: () => {
        throw new BuildError('NOT_ALLOWED', 'no');
      },
    },
    code: 'NOT_ALLOWED',
    at: '2:5',
  },
  {
    name: 'has the network of the machine only where that is allowed',
    text: run('--network=host'),
    code: 'NOT_ALLOWED',
    at: '2:5',
    hint: /--allow network.host/,
  },
  {
    name: 'refuses a later stage',
    text: `FROM debian\nRUN --mount=from=b,target=/b x\nFROM scratch AS b\nFROM 0`,
    options: { target: '0' },
    code: 'STAGE_NOT_FOUND',
    at: '2:5',
    hint: /line 3/,
  },
]);

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles and shells.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

interface Case {
  readonly name: string;
  /** `FROM BASE` stands for a busybox. The file is the Dockerfile's text, as lines. */
  readonly dockerfile: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** What `cooper run` of the image prints. */
  readonly prints: string;
}

const cases: readonly Case[] = [
  {
    name: 'a RUN with a heredoc runs it as a script',
    dockerfile: ['FROM BASE', 'RUN <<END', 'echo one >/out', 'echo "t${x}wo" >>/out', 'END', 'CMD ["cat", "/out"]'],
    prints: 'one\ntwo\n',
  },
  {
    name: 'a COPY with heredocs makes files',
    dockerfile: ['FROM BASE', 'ARG wood=oak', 'COPY <<a <<"b" /d/', 'A $wood', 'a', 'B $wood', 'b', 'CMD cat /d/a /d/b'],
    prints: 'A oak\nB $wood\n',
  },
  {
    name: 'ARG and ENV are expanded, and a build argument wins over a default',
    dockerfile: [
      'ARG tag=none',
      'FROM BASE',
      'ARG tag=mine',
      'ARG wood=oak',
      'ENV STAVE=${wood}-${tag:-x}${missing:+y}',
      'RUN echo "$STAVE $wood" >/out',
      'CMD cat /out; echo "$STAVE [$wood]"',
    ],
    args: ['--build-arg', 'wood=ash'],
    prints: 'ash-mine ash\nash-mine []\n',
  },
  {
    name: '.dockerignore leaves files out, and takes some back',
    dockerfile: ['FROM BASE', 'COPY . /d/', 'CMD ["sh", "-c", "cd /d && find . -type f | sort"]'],
    files: {
      '.dockerignore': 'Dockerfile\n.dockerignore\nlogs\n**/*.tmp\n!keep.tmp\n',
      'a/b.tmp': '',
      'a/c': '',
      'keep.tmp': '',
      'logs/x': '',
    },
    prints: './a/c\n./keep.tmp\n',
  },
  {
    name: 'COPY takes wildcards, owners and modes',
    dockerfile: ['FROM BASE', 'COPY --chown=user:staff --chmod=u=rw,go=r *.txt /d/', 'CMD ["sh", "-c", "stat -c \'%n %u:%g %a\' /d/*"]'],
    files: { 'a.txt': '', 'b.txt': '', c: '' },
    prints: '/d/a.txt 1000:50 644\n/d/b.txt 1000:50 644\n',
  },
  {
    name: 'COPY --from takes from a stage, and from another image',
    dockerfile: [
      'FROM BASE AS made',
      'RUN mkdir /d && echo made >/d/f && chown user /d/f && ln -s f /d/link',
      'FROM BASE',
      'COPY --from=made /d /e',
      'COPY --from=BASE /etc/group /e/group',
      'CMD ["sh", "-c", "cat /e/link; stat -c %u /e/f; readlink /e/link; head -n 1 /e/group"]',
    ],
    prints: 'made\n1000\nf\nroot:x:0:\n',
  },
  {
    name: 'WORKDIR is made for the user, and goes on from the one before',
    dockerfile: ['FROM BASE', 'USER user', 'WORKDIR /srv', 'WORKDIR app', 'CMD ["sh", "-c", "pwd; stat -c %u .; echo x >y; cat y"]'],
    prints: '/srv/app\n1000\nx\n',
  },
  {
    name: 'a bind mount shows the context and a stage, and keeps nothing of them',
    dockerfile: [
      'FROM BASE AS made',
      'RUN echo stage >/f',
      'FROM BASE',
      'RUN --mount=target=/ctx --mount=from=made,source=/f,target=/g cat /ctx/a /g >/out',
      // Source: BuildKit, `MountStubsCleaner`: what was made for a mount to stand on goes with it.
      'CMD ["sh", "-c", "cat /out; ls -d /ctx /g 2>/dev/null; true"]',
    ],
    files: { a: 'context\n' },
    prints: 'context\nstage\n',
  },
  {
    name: 'a secret is there for its step only',
    dockerfile: [
      'FROM BASE',
      'RUN --mount=type=secret,id=token,required=true wc -c </run/secrets/token >/out',
      'RUN --mount=type=secret,id=token,env=TOKEN echo "${#TOKEN}" >>/out; env | grep -c TOKEN >>/out',
      'RUN env | grep -c TOKEN >>/out; ls /run/secrets >>/out 2>/dev/null; true',
      'CMD ["cat", "/out"]',
    ],
    files: { '.secret': 'hush!' },
    args: ['--secret', 'id=token,src=context/.secret'],
    prints: '5\n5\n1\n0\n',
  },
  {
    name: 'ENTRYPOINT gets CMD as its arguments',
    dockerfile: ['FROM BASE', 'ENTRYPOINT ["echo", "in"]', 'CMD ["a  b", "c"]'],
    prints: 'in a  b c\n',
  },
  {
    name: 'SHELL is used by the RUN after it',
    dockerfile: ['FROM BASE', 'SHELL ["/bin/sh", "-e", "-c"]', 'RUN echo "$-" | grep -c e >/out; true', 'CMD ["cat", "/out"]'],
    prints: '1\n',
  },
  {
    name: 'an image that stands on itself keeps layers that are the same',
    // Both make the directory only, so they are one layer, twice.
    dockerfile: [
      'FROM BASE',
      'RUN mkdir -m 755 /data && touch -d @0 /data',
      'RUN touch -d @0 /data',
      'CMD ["stat", "-c", "%n %a %Y", "/data"]',
    ],
    prints: '/data 755 0\n',
  },
];

describe('instructions', { concurrency: false }, () => {
  let registry: Registry;
  let base: string;
  let cooper: Cooper;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
    cooper = await makeCooper();
  });

  after(async () => {
    await cooper?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  const withBase = (lines: readonly string[]): string => `${lines.join('\n').replaceAll('BASE', base)}\n`;

  for (const { name, dockerfile, files = {}, args = [], prints } of cases) {
    test(name, async () => {
      // One store for all: what one case leaves there must not disturb the others.
      await tool('rm', ['-rf', join(cooper.directory, 'context')]);
      const context = await cooper.context('context', { ...files, Dockerfile: withBase(dockerfile) });
      const first = await cooper.built(['-t', 'case', ...args, context]);
      assert.equal(await cooper.ok(['run', '--rm', 'case']), prints);
      await assertValid(cooper.root, 'case');
      const second = await cooper.built(['-t', 'case', ...args, context]);
      assert.deepEqual([second.ran, second.digest], [[], first.digest]);
    });
  }

  test('what the image says of itself is in its config', async () => {
    const lines = [
      'FROM BASE',
      'LABEL a="1 2" b=3',
      'EXPOSE 80/tcp 53/udp',
      'VOLUME /v',
      'STOPSIGNAL SIGINT',
      'USER user:staff',
      'ENV A=1',
    ];
    const health = ['HEALTHCHECK --interval=5s CMD true', 'WORKDIR /w', 'ENTRYPOINT ["/e"]', 'CMD ["c"]'];
    const context = await cooper.context('config', { Dockerfile: withBase([...lines, ...health]) });
    await cooper.built(['-t', 'config', '--label', 'c=4', context]);
    const config = JSON.parse(await tool('skopeo', ['inspect', '--config', `oci:${cooper.root}:docker.io/library/config:latest`]));
    const { Labels, ExposedPorts, Volumes, StopSignal, User, WorkingDir, Entrypoint, Cmd, Env } = config.config;
    assert.deepEqual(Labels, { a: '1 2', b: '3', c: '4' });
    assert.deepEqual(Object.keys(ExposedPorts).sort(), ['53/udp', '80/tcp']);
    assert.deepEqual(
      [Object.keys(Volumes), StopSignal, User, WorkingDir, Entrypoint, Cmd],
      [['/v'], 'SIGINT', 'user:staff', '/w', ['/e'], ['c']],
    );
    assert.ok(Env.includes('A=1'));
    // skopeo's form of a config has no HEALTHCHECK: that is Docker's own addition, read from the blob itself.
    assert.match(
      await cooper.ok(['inspect', 'config']),
      /"Healthcheck": \{\s+"Test": \[\s+"CMD-SHELL",\s+"true"\s+\],\s+"Interval": 5000000000/,
    );
  });

  test('stages run side by side', async () => {
    // Each waits for the other's file, for a minute at most.
    const meet = (own: string, other: string): string[] => [
      `FROM BASE AS ${own}`,
      `RUN --mount=type=cache,id=meet,target=/m touch /m/${own}; for n in $(seq 600); do [ -e /m/${other} ] && exit; sleep 0.1; done; exit 1`,
    ];
    const last = ['FROM BASE', 'COPY --from=left /etc/passwd /l', 'COPY --from=right /etc/passwd /r'];
    const context = await cooper.context('meet', { Dockerfile: withBase([...meet('left', 'right'), ...meet('right', 'left'), ...last]) });
    await cooper.built([context]);
  });

  test('a stage that the target does not need is not run', async () => {
    const lines = [
      'FROM BASE AS unneeded',
      'RUN exit 1',
      'FROM BASE AS needed',
      'RUN echo needed',
      'FROM BASE',
      'COPY --from=needed /etc/passwd /p',
    ];
    const context = await cooper.context('unneeded', { Dockerfile: withBase(lines) });
    assert.deepEqual((await cooper.built([context])).ran, ['RUN echo needed', 'COPY --from=needed /etc/passwd /p']);
    assert.equal((await cooper.build(['--target', 'unneeded', context])).status, 1);
  });

  test('a cache mount keeps its files between builds, and out of the image', async () => {
    const dockerfile = (n: number): string =>
      withBase(['FROM BASE', `RUN --mount=type=cache,target=/cache echo ${n} >>/cache/log; cp /cache/log /out`]);
    const context = await cooper.context('cache', { Dockerfile: dockerfile(1) });
    await cooper.built([context]);
    await writeFile(join(context, 'Dockerfile'), dockerfile(2));
    await cooper.built(['-t', 'cached', context]);
    assert.equal(await cooper.ok(['run', '--rm', 'cached', 'sh', '-c', 'cat /out; ls -A /cache 2>/dev/null; true']), '1\n2\n');
  });

  test('ADD unpacks an archive, COPY does not', async () => {
    const context = await cooper.context('add', {
      'in/a/b': 'b\n',
      Dockerfile: withBase(['FROM BASE', 'ADD x.tar.gz /d/', 'COPY x.tar.gz /e/']),
    });
    await tool('tar', ['-czf', join(context, 'x.tar.gz'), '-C', join(context, 'in'), 'a']);
    await cooper.built(['-t', 'add', context]);
    assert.equal(await cooper.ok(['run', '--rm', 'add', 'sh', '-c', 'cat /d/a/b; ls /e']), 'b\nx.tar.gz\n');
  });
});

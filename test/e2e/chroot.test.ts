import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, debianBase, pushBase } from '../support/bases.ts';
import { type Built, type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { layerEntries } from '../support/layer-entries.ts';
import { makePackage } from '../support/local-package.ts';
import { attempt, messageOf, outputOf } from '../support/look.ts';
import { gone, processesWith } from '../support/processes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { afterMounts, situations } from '../support/situations.ts';
import { layerDigests } from '../support/stored.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

// RUN as root of a plain container: Docker's capabilities, and a filter that refuses namespaces and mounts. The program's root is entered by
// chroot(2), and the container's own root stays what it was.

const skip = process.getuid?.() === 0 ? false : 'only root can make the situation';

describe('RUN by chroot', { skip }, () => {
  let installation: Installation & AsyncDisposable;
  let registry: Registry;
  let base: string;
  /** For those that leave nothing behind. */
  let shared: Cooper;

  before(async () => {
    installation = await situations.container.install();
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
    shared = await makeCooper(installation);
    await shared.context('.', { 'profile.json': JSON.stringify(noDirectories) });
    await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(shared.directory, 'key')]);
  });

  after(async () => {
    await shared?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    await installation?.[Symbol.asyncDispose]();
  });

  const built = async (cooper: Cooper, lines: readonly string[], args: readonly string[] = [], env = {}): Promise<Built> => {
    const context = await cooper.context('steps', { Dockerfile: [`FROM ${base}`, ...lines, ''].join('\n') });
    return cooper.build(['-t', 'made', ...args, context], { env });
  };

  for (const { name, lines, want } of [
    {
      name: 'ids and groups are the image’s',
      lines: ['USER user', 'RUN id'],
      want: 'uid=1000(user) gid=1000(user) groups=50(staff),1000(user)\n',
    },
    { name: 'capabilities are Docker’s', lines: ['RUN mknod /n c 5 1 && chown 5:6 /n && stat -c "%t %T %u:%g" /n'], want: '5 1 5:6\n' },
    {
      name: 'devices can be used',
      lines: ['RUN echo > /dev/null && head -c3 /dev/zero | wc -c && (echo > /dev/full) 2>/dev/null || echo full'],
      want: '3\nfull\n',
    },
    { name: 'a working directory is made', lines: ['WORKDIR /a/b', 'RUN pwd'], want: '/a/b\n' },
    {
      name: 'no descriptor is inherited',
      lines: ['RUN for n in 3 4 5 6 7 8 9; do (true <&$n) 2>/dev/null && echo $n; done; true'],
      want: '',
    },
    { name: 'its environment is its own', lines: ['RUN env | sort | grep -v -e ^PATH -e ^PWD -e ^SHLVL'], want: 'HOME=/root\n' },
    { name: 'the machine’s files are not below its root', lines: ['RUN ls -d /usr /var /opt 2>/dev/null; ls / | wc -l'], want: '8\n' },
  ]) {
    test(name, async () => {
      const result = await built(shared, lines);
      assert.equal(result.status, 0, messageOf(result));
      assert.equal(outputOf(result), want);
    });
  }

  test('mounts are given and leave nothing in a layer', async () => {
    await using cooper = await makeCooper(installation);
    const secret = 'a secret that nobody may keep';
    const lines = [
      'RUN mkdir /kept && echo image > /kept/file',
      'RUN --mount=type=cache,target=/kept --mount=type=tmpfs,target=/etc/tmp --mount=type=secret,id=s,mode=0440 ' +
        '--mount=type=bind,source=Dockerfile,target=/new/dir/file --mount=type=bind,from=other,target=/other,rw ' +
        'ls /kept | wc -l; touch /kept/cached /etc/tmp/t /other/written; cat /run/secrets/s > /dev/null; stat -c %a:%u /run/secrets/s; ' +
        'head -n1 /new/dir/file | cut -d" " -f1; ls -d /other/of-another /other/home 2>/dev/null; ln /run/secrets/s /stolen; grep -c nameserver /etc/resolv.conf',
      'RUN --mount=type=cache,target=/kept --mount=type=bind,from=other,target=/other ls /kept; cat /kept/file; ls /other/written',
    ];
    const other = ['FROM scratch AS unused', `FROM ${base} AS other`, 'RUN touch /of-another && rm -r /home', `FROM ${base}`];
    const first = await built(cooper, [...other, ...lines], ['--secret', 'id=s,env=SECRET'], { SECRET: secret });
    assert.equal(first.status, 1);
    const said = outputOf(first);
    assert.match(said, /^0\n440:0\nFROM\n\/other\/of-another\n1\ncached\n/, 'what the mounts hold');
    // The last step fails: no file of the image below the cache, and nothing written to a bind stays.
    assert.match(messageOf(first), /RUN_FAILED/);
    const result = await built(
      cooper,
      [...other, ...lines.slice(0, 2), 'RUN cat /kept/file; ls -l /stolen | cut -c1; rm /stolen'],
      ['--secret', 'id=s,env=SECRET'],
      {
        SECRET: secret,
      },
    );
    assert.equal(result.status, 0, messageOf(result));
    const layers = await layerDigests(cooper.root, result.digest);
    const entries = await layerEntries(cooper.root, layers.at(-2) ?? '');
    assert.deepEqual([...entries.keys()], ['stolen'], 'the step’s own change and no other');
    assert.equal(entries.get('stolen')?.text.replaceAll('\0', ''), '', 'the bytes of a secret are gone whatever name they got');
    await assertValid(cooper.root, 'made');
    await nothingLeft(cooper, secret);
  });

  test('a secret that the program has made long is erased to the length that a secret can have', async () => {
    await using cooper = await makeCooper(installation);
    const lines = [
      'RUN --mount=type=cache,target=/cache --mount=type=secret,id=s truncate -s 256M /run/secrets/s && ln /run/secrets/s /cache/long-secret',
    ];
    const result = await built(cooper, lines, ['--secret', 'id=s,env=SECRET'], { SECRET: 'a secret of no length' });
    assert.equal(result.status, 0, messageOf(result));
    const kept = (await readdir(cooper.root, { recursive: true })).filter((name) => name.endsWith('/long-secret'));
    assert.equal(kept.length, 1);
    const file = join(cooper.root, kept[0] ?? '');
    const { size, blocks } = await stat(file);
    assert.equal(size, 256 * 1024 * 1024, 'the program’s own hole');
    assert.ok(blocks * 512 <= 2 * 1024 * 1024, `${blocks} blocks were written`);
    const begin = Buffer.alloc(64);
    await using opened = await open(file);
    await opened.read(begin, 0, begin.length, 0);
    assert.deepEqual(begin, Buffer.alloc(64), 'and the secret is gone');
  });

  test('what runs on behind a step is ended, also what hides', async () => {
    await using cooper = await makeCooper(installation);
    const mark = `MARK=${process.pid}-${Date.now()}`;
    const hide = `export ${mark}; sleep 1000 & setsid sleep 1000 & (setsid sh -c "sleep 1000 & sleep 1000" &) ; nohup sleep 1000 & sleep 0.2`;
    const result = await built(cooper, [`RUN ${hide}`]);
    assert.equal(result.status, 0, messageOf(result));
    assert.deepEqual(processesWith(mark), []);
  });

  test('after kill -9 of the worker nothing runs on, and the next command clears the store', async () => {
    await using cooper = await makeCooper(installation);
    const mark = `MARK=killed-${process.pid}-${Date.now()}`;
    const context = await cooper.context('killed', {
      Dockerfile: `FROM ${base}\nRUN export ${mark}; setsid sleep 1000 & sleep 1 && echo runs && sleep 1000\n`,
    });
    const running = cooper.start(['build', '--progress', 'plain', context]);
    await running.says('runs\n');
    const these = processesWith(mark);
    assert.ok(these.length > 0, 'it runs');
    await running.stop('SIGKILL');
    await gone(these);
    await cooper.ok(['images']);
    assert.equal((await built(cooper, ['RUN true'])).status, 0);
    assert.deepEqual(await readdir(join(cooper.root, 'tmp')), []);
  });

  test('the container’s own root is what it was', async () => {
    await using cooper = await makeCooper(installation);
    const before = await stateOfRoot();
    const harm =
      'rm -rf /etc /home /root; mkdir /etc; echo harm > /etc/passwd; echo harm > /etc/hostname; rm -rf /dev; mkdir /dev; echo x > /dev/null';
    const result = await built(cooper, [`RUN ${harm}`, 'USER 0', 'RUN cat /etc/passwd']);
    assert.equal(result.status, 0, messageOf(result));
    assert.equal(outputOf(result), 'harm\n');
    assert.equal(await stateOfRoot(), before);
  });

  test('a Debian installs packages', async () => {
    await using cooper = await makeCooper(installation);
    const debian = await pushBase(await debianBase(), registry, 'debian');
    const context = await cooper.context('debian', {
      Dockerfile: [
        `FROM ${debian}`,
        'COPY ids.deb /tmp/',
        'RUN apt-get install -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io /tmp/ids.deb',
        'RUN useradd --create-home --uid 1500 other && chown other: /opt',
        'USER other',
        'RUN id -un && touch /opt/mine && stat -c %u:%a /usr/bin/as-app /var/lib/ids /opt/mine',
        '',
      ].join('\n'),
    });
    await makePackage(context);
    // Without an overlay nothing keeps dpkg's fsync from the disk, so it is told to leave it.
    const result = await cooper.built(['-t', 'debian', context]);
    assert.equal(outputOf(result).split('\n').slice(-5).join('\n'), 'other\n990:6755\n990:2750\n1500:644\n');
    await assertValid(cooper.root, 'debian');
  });

  /** What is asked for works, or is an error: nothing is left out in silence. */
  for (const { name, args, script, mounts, want } of [
    { name: 'an ulimit', args: ['--ulimit', 'nofile=100'], script: 'ulimit -n', want: /^100\n$/ },
    { name: 'an ulimit that is too high', args: ['--ulimit', 'nofile=10000000'], script: 'true', want: /LIMIT_UNAVAILABLE.*nofile/ },
    { name: 'a limit of memory', args: ['--memory', '16m'], script: 'head -c 64m /dev/zero | tail', want: /OUT_OF_MEMORY/ },
    { name: 'a host', args: ['--add-host', 'abc:1.2.3.4'], script: 'grep abc /etc/hosts', want: /^1.2.3.4\tabc\n$/ },
    {
      name: 'certificates',
      args: ['--ca-certificates'],
      script: 'grep -c BEGIN "$SSL_CERT_FILE" >/dev/null && echo there',
      want: /^there\n$/,
    },
    {
      name: 'an agent',
      args: ['--ssh', 'default=key'],
      mounts: '--mount=type=ssh',
      script: 'stat -c "%F %a" "$SSH_AUTH_SOCK"',
      want: /^socket 600\n$/,
    },
    {
      name: 'no new privileges, and with them our filter',
      args: ['--security-opt', 'no-new-privileges'],
      script: 'unshare -U true',
      want: /RUN_FAILED/,
    },
    { name: 'no filter', args: ['--security-opt', 'seccomp=unconfined'], script: 'echo runs', want: /^runs\n$/ },
    { name: 'a profile', args: ['--security-opt', 'seccomp=profile.json'], script: 'true', want: /PRIVILEGE_MISSING.*profile/ },
    {
      name: 'a profile without new privileges',
      args: ['--security-opt', 'seccomp=profile.json', '--security-opt', 'no-new-privileges'],
      script: 'mkdir /x 2>&1; echo runs',
      want: /^mkdir: .*not permitted\nruns\n$/,
    },
    {
      name: 'all rights',
      args: ['--allow', 'security.insecure'],
      mounts: '--security=insecure',
      script: 'true',
      want: /PRIVILEGE_MISSING.*all rights/,
    },
  ] as { name: string; args: string[]; script: string; mounts?: string; want: RegExp }[]) {
    test(`${name}: given, or refused`, async () => {
      const result = await attempt(shared, base, script, { args, ...(mounts !== undefined && { mounts }) });
      assert.match(result.status === 0 ? outputOf(result) : messageOf(result), want);
    });
  }

  test('where cgroups cannot be made, a limit is an error', async () => {
    const covered = [...afterMounts('mount -t tmpfs -o ro none /sys/fs/cgroup'), ...installation.command];
    await using cooper = await makeCooper({ ...installation, command: covered as unknown as Installation['command'] });
    const result = await attempt(cooper, base, 'true', { args: ['--memory', '16m'] });
    assert.match(messageOf(result), /LIMIT_UNAVAILABLE/);
  });

  for (const { name, args, want } of [
    { name: 'a device', args: ['--device', '/dev/null:/dev/mine'], want: /a device cannot be had here.*PRIVILEGE_MISSING/ },
    { name: 'a directory of the host', args: ['-v', '/tmp:/x'], want: /a directory of the host cannot be had here.*PRIVILEGE_MISSING/ },
    { name: 'a terminal', args: ['-t'], want: /a terminal cannot be had here.*PRIVILEGE_MISSING/ },
    { name: 'a capability', args: ['--cap-add', 'SYS_ADMIN'], want: /SYS_ADMIN.*PRIVILEGE_MISSING/ },
  ]) {
    test(`run: ${name} is refused`, async () => {
      const { status, stderr } = await shared.run(['run', '--rm', ...args, base, 'true']);
      assert.notEqual(status, 0);
      assert.match(stderr, want);
    });
  }

  for (const { name, lines, args, code } of [
    { name: 'no network', lines: ['RUN --network=none true'], args: [], code: 'PRIVILEGE_MISSING' },
    { name: 'a place below /proc', lines: ['RUN --mount=type=tmpfs,target=/proc/x true'], args: [], code: 'UNSUPPORTED' },
    {
      name: 'a file in the place of a directory',
      lines: ['RUN --mount=type=tmpfs,target=/etc/passwd true'],
      args: [],
      code: 'UNSUPPORTED',
    },
    {
      name: 'a cache’s part that is not there',
      lines: ['RUN --mount=type=cache,target=/c,source=none true'],
      args: [],
      code: 'COPY_SOURCE_MISSING',
    },
    {
      name: 'a part behind a circle of symlinks',
      lines: ['RUN ln -s b /a && ln -s a /b', 'FROM scratch', 'RUN --mount=type=bind,from=0,source=/a,target=/c true'],
      args: [],
      code: 'COPY_SOURCE_MISSING',
    },
  ]) {
    test(`${name} is an error`, async () => {
      assert.match(messageOf(await built(shared, lines, args)), new RegExp(code));
    });
  }

  test('a step’s result counts in this mode only, and the user is told what it is', async () => {
    await using cooper = await makeCooper(installation);
    const first = await built(cooper, ['RUN echo once']);
    const warnings = first.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    assert.equal(warnings.filter((text) => text.includes('isolated by chroot alone')).length, 1);
    const again = await built(cooper, ['RUN echo once']);
    assert.deepEqual([again.ran, again.digest], [[], first.digest]);
    const elsewhere = await tool('env', [
      `COOPER_ROOT=${cooper.root}`,
      join(import.meta.dirname, '../../bin/cooper'),
      ...['build', '--progress', 'plain', join(cooper.directory, 'steps')],
    ]).catch((error: Error) => error.message);
    assert.doesNotMatch(String(elsewhere), /CACHED/);
  });
});

/** A profile of Docker's kind that allows everything but one thing. */
const noDirectories = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
};

/** What the program tried to change. Of directories no times: others work on this machine too. */
async function stateOfRoot(): Promise<string> {
  const directories = await tool('stat', [
    '-c',
    '%n %i %a %u:%g %F',
    '/',
    '/etc',
    '/home',
    '/root',
    '/dev',
    '/dev/shm',
    '/proc',
    '/sys',
    '/tmp',
  ]);
  const files = [
    '/etc/passwd',
    '/etc/group',
    '/etc/hosts',
    '/etc/hostname',
    '/etc/resolv.conf',
    '/dev/null',
    '/dev/fd',
    '/bin/sh',
    '/usr/bin/env',
  ];
  return directories + (await tool('stat', ['-c', '%n %i %a %u:%g %F %s %Z', ...files]));
}

/** No file of the store has the secret, but for what was swept away with its folder. */
async function nothingLeft(cooper: Cooper, secret: string): Promise<void> {
  for (const entry of await readdir(cooper.root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && existsSync(path)) assert.ok(!(await readFile(path)).includes(secret), path);
  }
}

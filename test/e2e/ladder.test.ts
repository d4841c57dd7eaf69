import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { lastLayer } from '../support/layer-entries.ts';
import { descendants, gone } from '../support/processes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { whyNotRootless } from '../support/rootless.ts';
import { type Situation, situations } from '../support/situations.ts';

// Each place where cooper may have to run, made on the spot: what it finds there, and what works. docs/modes.md has the table.

const reason = await whyNotRootless();

/** What `doctor` has to say of the rungs above: the rung, and words of the reason. */
const downgrades: Readonly<Record<keyof typeof situations, readonly (readonly [string, RegExp])[]>> = {
  root: [],
  rootless: [['root', /not root/]],
  fuse: [['root', /not root/]],
  stranger: [
    ['root', /not root/],
    ['rootless', /no range of 65536 ids/],
  ],
  pod: [['root', /root of a user namespace/]],
  smallNamespace: [
    ['root', /root of a user namespace/],
    ['pod', /has 1 of 65536 ids/],
  ],
  noSeccomp: [['root', /right to mount/]],
  container: [
    ['root', /right to mount/],
    ['pod', /refuses user namespaces/],
  ],
  confined: [
    ['root', /not root/],
    ['rootless', /no range/],
    ['single-id', /refuses user namespaces/],
  ],
  noNewPrivileges: [
    ['root', /not root/],
    ['rootless', /newuidmap.*no_new_privs is on/],
  ],
  nosuid: [
    ['root', /not root/],
    ['rootless', /newuidmap.*mount with nosuid/],
  ],
  coveredProc: [['root', /not root/]],
  coveredPod: [['root', /root of a user namespace/]],
};

/** A bit of all that has to do with ids. With the time of everything fixed its digest is the same wherever it is built. */
const dockerfile = (base: string): string => `FROM ${base}
COPY --chown=user:staff a.txt /srv/a.txt
RUN <<END
  set -e
  cp /srv/a.txt /by-root
  chown user:staff /by-root
  chmod 4750 /by-root
  chmod 700 /home/user
  mkdir -p /var/lib/app/in
  chown -R 33:44 /var/lib/app
  ln -s a /link
  chown -h 7:8 /link
  sed -i s/a/b/ /srv/a.txt
  rm /bin/ping
  stat -c "%n %u:%g" /by-root /srv/a.txt /var/lib/app/in /link /home/user >/seen
END
USER user
WORKDIR /home/user/work
RUN touch mine && mkdir dir && (id -u; id -g; id -G; stat -c "%u:%g" mine dir . /by-root) >seen
`;

const flags = ['--build-arg', 'SOURCE_DATE_EPOCH=1600000000', '--no-cache'];
/** Where the rest of the commands is tried too. */
const plain: readonly string[] = ['stranger', 'container', 'confined'] satisfies (keyof typeof situations)[];
const builds = (mode: string): boolean => mode !== 'unprivileged';

describe('the ladder', { concurrency: false, skip: reason ?? false }, () => {
  let registry: Registry;
  let base: string;
  let wanted: string;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
    await using cooper = await makeCooper();
    const built = await cooper.built([...flags, await contextOf(cooper, base)]);
    wanted = built.digest;
  });

  after(async () => {
    await registry?.[Symbol.asyncDispose]();
  });

  for (const [key, situation] of Object.entries(situations) as [keyof typeof situations, Situation][]) {
    test(situation.name, async (t) => {
      await using installation = await situation.install();
      await using cooper = await makeCooper(installation);
      await t.test('doctor names the rung, and what refused those above', async () => {
        const { stdout, stderr } = await cooper.run(['doctor', '--json', '--debug-log']);
        const report = JSON.parse(stdout) as Report;
        assert.equal(report.mode, situation.mode, JSON.stringify(report.downgrades));
        const rungs = report.downgrades.map(({ rung }) => rung);
        assert.deepEqual(
          rungs,
          downgrades[key].map(([rung]) => rung),
        );
        for (const [at, [, words]] of downgrades[key].entries()) assert.match(report.downgrades[at]?.reason ?? '', words);
        assertLogged(stderr, report);
      });
      if (builds(situation.mode)) {
        await t.test('the image is root’s, and runs', async () => {
          const built = await cooper.built([...flags, '-t', 'image', await contextOf(cooper, base)]);
          assert.equal(built.digest, wanted);
          assert.equal(await cooper.ok(['run', '--rm', 'image', 'cat', 'seen']), userSees);
          assert.equal(await cooper.ok(['run', '--rm', '--user', 'root', 'image', 'cat', '/seen']), rootSees);
        });
      }
      if (plain.includes(key)) await t.test('a build without RUN, and every other command', () => withoutRun(cooper, base, registry));
    });
  }
});

/** Looks for a file of the machine behind every process that is shown, and for what the worker has in its memory. */
const lookOut = (base: string, canary: string): string => `FROM ${base}
RUN <<END
for each in /proc/[0-9]*; do
  if [ -e $each/root${canary} ]; then echo "found by $each/root"; fi
  if grep -q ${canary} $each/environ; then echo "found in $each/environ"; fi
done
ls /proc/self/status
echo x >/proc/sys/kernel/core_pattern && echo "found a sysctl"
true
END
`;

for (const key of ['coveredProc', 'coveredPod'] as const) {
  test(`${situations[key].name}: it is shown, and leads nowhere`, { skip: reason ?? false }, async () => {
    await using installation = await situations[key].install();
    await using cooper = await makeCooper(installation);
    await using registry = await startRegistry();
    const base = await pushBase(await busyboxBase(), registry, 'busybox');
    await writeFile(join(cooper.directory, 'canary'), '');
    const context = await cooper.context('look', {
      Dockerfile: lookOut(base, join(cooper.directory, 'canary')),
    });
    const { stderr } = await cooper.run(['build', '--progress', 'plain', context]);
    assert.match(stderr, /no \/proc can be mounted here.*systempaths=unconfined/);
    assert.doesNotMatch(stderr, /found|error/);
    const refused = await cooper.run(['run', '--rm', '--cap-add', 'SYS_PTRACE', base, 'true']);
    assert.match(refused.stderr, /a container that sees the builder's \/proc cannot have CAP_SYS_PTRACE.*PRIVILEGE_MISSING/);
    const report = JSON.parse(await cooper.ok(['doctor', '--json']));
    const proc = report.checks.find(({ name }: { name: string }) => name === 'proc');
    assert.equal(proc.state, 'degraded');
  });
}

describe('fuse-overlayfs', { concurrency: false, skip: reason ?? false }, () => {
  for (const key of ['root', 'fuse'] as const) {
    test(`${situations[key].name}: the image is the same, and a killed worker leaves no process`, async () => {
      await using installation = await situations[key].install();
      const env = { COOPER_SNAPSHOTTER: 'fuse-overlayfs' };
      await using cooper = await makeCooper({ ...installation, env: { ...installation.env, ...env } });
      await using registry = await startRegistry();
      const base = await pushBase(await busyboxBase(), registry, 'busybox');
      const context = await cooper.context('fuse', { Dockerfile: fuseFile(base) });
      const { digest } = await cooper.built([...flags, '-t', 'image', context]);
      const report = JSON.parse(await cooper.ok(['doctor', '--json']));
      assert.equal(report.snapshotter, 'fuse-overlayfs');
      assert.equal(await cooper.ok(['run', '--rm', 'image', 'cat', '/seen']), 'new\n/home\n');
      await using plain = await makeCooper();
      const usual = await plain.built([...flags, await plain.context('fuse', { Dockerfile: fuseFile(base) })]);
      assert.equal(digest, usual.digest);
      const running = cooper.start(['run', '--rm', 'image', 'sh', '-c', 'echo begun; sleep 60']);
      await running.says('begun');
      // The children of the shell's, or of setpriv's: all that this command has started.
      const started = descendants(running.pid);
      assert.ok(started.some(({ name }) => name.startsWith('fuse-overlayfs')));
      await running.stop('SIGKILL');
      await gone(started);
    });
  }
});

/** Whiteouts, an opaque directory, a copied-up file, hard links and the owners of them all. */
const fuseFile = (base: string): string => `FROM ${base}
RUN <<END
  set -e
  rm /bin/ping
  rm -r /home/user && mkdir /home/user && echo new >/home/user/new
  chmod 600 /etc/passwd
  ln /etc/group /etc/other && chown 5:6 /etc/other
  mkfifo /pipe
END
RUN (ls /home/user; ls -d /home) >/seen && chmod 644 /etc/passwd && rm -r /home/user
`;

const userSees = '1000\n1000\n1000 50\n1000:1000\n1000:1000\n1000:1000\n1000:50\n';
const rootSees = '/by-root 1000:50\n/srv/a.txt 1000:50\n/var/lib/app/in 33:44\n/link 7:8\n/home/user 1000:1000\n';

const contextOf = (cooper: Cooper, base: string): Promise<string> =>
  cooper.context('context', { Dockerfile: dockerfile(base), 'a.txt': 'a\n' });

/** What `--debug-log` says is what `doctor` found. */
function assertLogged(log: string, report: Report): void {
  assert.match(log, new RegExp(`^debug: store .*: mode ${report.mode}\\b.*, snapshots by ${report.snapshotter}$`, 'm'));
  assert.match(log, /^debug: user namespace of RUN: /m);
  for (const { rung, reason } of report.downgrades) assert.ok(log.includes(`debug: not ${rung}: degraded: ${reason}`), log);
}

interface Report {
  readonly mode: string;
  readonly snapshotter: string;
  readonly downgrades: readonly { readonly rung: string; readonly reason: string }[];
}

/** What has to work where no container can be had. */
async function withoutRun(cooper: Cooper, base: string, registry: Registry): Promise<void> {
  const context = await cooper.context('plain', {
    Dockerfile: `FROM ${base}\nCOPY --chown=user a.txt /srv/\nWORKDIR /w\n`,
    'a.txt': 'a\n',
  });
  const name = `${registry.host}/made:${process.hrtime.bigint()}`;
  const { digest } = await cooper.built(['-t', name, '--push', context]);
  await cooper.ok(['pull', name]);
  await cooper.ok(['tag', name, 'other']);
  await cooper.ok(['push', name]);
  assert.match(await cooper.ok(['images', '-q']), new RegExp(digest));
  for (const command of ['inspect', 'history', 'rmi']) await cooper.ok([command, 'other']);
  const out = join(cooper.directory, 'out');
  await cooper.built(['-o', `type=local,dest=${out}`, context]);
  assert.equal(await readFile(join(out, 'srv/a.txt'), 'utf8'), 'a\n');
  const entry = (
    await lastLayer(
      cooper.root,
      (
        await cooper.built([
          '-t',
          'again',
          await cooper.context('owned', { Dockerfile: `FROM ${base}\nCOPY --chown=user:staff a.txt /srv/\n`, 'a.txt': 'a\n' }),
        ])
      ).digest,
    )
  ).get('srv/a.txt');
  assert.deepEqual([entry?.uid, entry?.gid], [1000, 50]);
}

test('without namespaces a RUN names what would help', { skip: reason ?? false }, async () => {
  await using installation = await situations.confined.install();
  await using cooper = await makeCooper(installation);
  const context = await cooper.context('run', { Dockerfile: 'FROM scratch\nRUN ["/x"]\n' });
  const { status, stderr } = await cooper.run(['build', context]);
  assert.equal(status, 1);
  for (const words of [
    /PRIVILEGE_MISSING/,
    /single-id: this machine refuses user namespaces/,
    /as root/,
    /\/etc\/subuid/,
    /seccomp=unconfined/,
  ]) {
    assert.match(stderr, words);
  }
});

for (const { variable, value, hint } of [
  { variable: 'COOPER_MODE', value: 'admin', hint: /"root", "pod", "rootless"/ },
  { variable: 'COOPER_SNAPSHOTTER', value: 'zfs', hint: /"overlay"/ },
] as const) {
  test(`${variable}=${value} is refused`, async () => {
    await using cooper = await makeCooper();
    const { status, stderr } = await cooper.run(['doctor'], { env: { [variable]: value } });
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`${variable} is "${value}"`));
    assert.match(stderr, hint);
  });
}

test('a rung that was asked for and does not work is no reason to take another', { skip: reason ?? false }, async () => {
  await using installation = await situations.confined.install();
  await using cooper = await makeCooper(installation);
  const { status, stderr } = await cooper.run(['doctor'], { env: { COOPER_MODE: 'single-id' } });
  assert.equal(status, 2);
  assert.match(stderr, /COOPER_MODE is "single-id", which does not work here: this machine refuses user namespaces/);
});

import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, debianBase, pushBase } from '../support/bases.ts';
import { type Built, type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { layerEntries } from '../support/layer-entries.ts';
import { makePackage } from '../support/local-package.ts';
import { attempt, messageOf, outputOf } from '../support/look.ts';
import { startRegistry } from '../support/registry.ts';
import { whyNotRootless } from '../support/rootless.ts';
import { packageSecrets } from '../support/secrets.ts';
import { openFuse, situations } from '../support/situations.ts';
import { layerDigests } from '../support/stored.ts';

// A user with one id: what programs do with others is root's result, to the owner of each file in the layers.

/** A RUN of a script of fixtures/single-id. */
const script = async (name: string): Promise<string> => {
  const text = await readFile(join(import.meta.dirname, `../../fixtures/single-id/${name}.sh`), 'utf8');
  return `RUN <<'END_OF_SCRIPT'\n${text}END_OF_SCRIPT`;
};

const steps = async (base: string): Promise<string> =>
  [
    `FROM ${base}`,
    'COPY ids.deb /tmp/',
    'RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/90machine apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \\',
    '    apt-get install -q -y --no-install-recommends sudo /tmp/ids.deb >/dev/null 2>&1 && rm -rf /var/lib/apt/lists /var/log/* \\',
    '    /var/cache/ldconfig /var/cache/apt && stat -c "%n %u:%g %a" /usr/bin/sudo /usr/bin/as-app /var/lib/ids /var/lib/ids/conf /usr/share/ids/data',
    'RUN mknod /null c 1 3 && mknod -m 640 /loop b 7 0 && chown 5:6 /loop && stat -c "%n %F %t:%T %u:%g %a" /null /loop && mv /loop /moved',
    'RUN su app -c "id -u; id -g" && chroot --userspec=990:50 --groups=4,5 / id -G && chroot --userspec=7:8 / id -u',
    await script('root'),
    await script('files'),
    'USER other',
    await script('other'),
    await script('files-of-other'),
    'USER root',
    'COPY --chown=other:staff ids.deb /made/copied.deb',
    'COPY --chown=1000:0 ids.deb /made/group/',
    'RUN echo >>/made/copied.deb; mv /made/group/mine /made/mine; cd /made; find . ! -type l ! -type p -printf "%p %y %U:%G %m\\n" | sort',
    'USER app',
    'RUN sudo -n id -u && id -un && touch /var/lib/app/mine && stat -c %u:%g /var/lib/app/mine',
    '',
  ].join('\n');

const said = `/usr/bin/sudo 0:0 4755
/usr/bin/as-app 990:50 6755
/var/lib/ids 990:4 2750
/var/lib/ids/conf 4321:990 640
/usr/share/ids/data 990:990 644
/null character special file 1:3 0:0 644
/loop block special file 7:0 5:6 640
990
990
50 4 5
7
`;
/** Behind what the scripts say. */
const saidLast = `0
app
990:990
`;

describe('one id', { concurrency: false, skip: (await whyNotRootless()) ?? false }, () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let cooper: Cooper;
  let debian: string;
  let busybox: string;

  before(async () => {
    const registry = cleanup.use(await startRegistry());
    [debian, busybox] = await Promise.all([
      pushBase(await debianBase(), registry, 'debian'),
      pushBase(await busyboxBase(), registry, 'busybox'),
    ]);
    installation = cleanup.use(await situations.stranger.install());
    cooper = cleanup.use(await makeCooper(installation));
  });

  after(() => cleanup.disposeAsync());

  test('a Debian installs packages, makes devices, and runs su: the layers are root’s', async () => {
    await using root = await makeCooper();
    const file = await makePackage(root.directory);
    const [theirs, ours] = await Promise.all(
      [root, cooper].map(async (each) => {
        const context = await each.context('debian', { Dockerfile: await steps(debian) });
        await copyFile(file, join(context, 'ids.deb'));
        return each.built([...(await packageSecrets(each)), '--build-arg', 'SOURCE_DATE_EPOCH=1600000000', context]);
      }),
    );
    assert.ok(theirs && ours);
    const [expected, found] = [outputOf(theirs), outputOf(ours)];
    assert.equal(found, expected);
    assert.deepEqual([expected.slice(0, said.length), expected.slice(-saidLast.length)], [said, saidLast]);
    // The kernel's own words, lest both be wrong.
    assert.match(expected, /# su other -c ids\nuser 1000 1000 group 1000 4 50 1000 effective 1000 4 50 1000\n/);
    assert.match(expected, /# peers\nclient user 1000 group 50\nserver user 0 group 0\n/);
    assert.match(expected, /# sudo -n ids\nuser 0 0 group 0 0 effective 0 0\n/);
    assert.deepEqual(await described(cooper, ours), await described(root, theirs));
  });

  /** Both are filters of the kernel's, and both count. */
  const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }] };
  for (const { name, args = [], env = {}, prefix = [], want = '5:6\nmade\n' } of [
    { name: 'a seccomp profile', args: ['--security-opt', 'seccomp=profile.json'], want: '5:6\nrefused\n' },
    { name: 'no seccomp profile', args: ['--security-opt', 'seccomp=unconfined'] },
    { name: 'no new privileges', args: ['--security-opt', 'no-new-privileges'] },
    { name: 'copies', env: { COOPER_SNAPSHOTTER: 'copy' } },
    { name: 'fuse-overlayfs', env: { COOPER_SNAPSHOTTER: 'fuse-overlayfs' }, prefix: openFuse },
  ] as { name: string; args?: string[]; env?: Record<string, string>; prefix?: string[]; want?: string }[]) {
    test(`with ${name}`, async () => {
      const command = [...prefix, ...installation.command] as unknown as Installation['command'];
      await using other = await makeCooper({ ...installation, command, env: { ...installation.env, ...env } });
      await other.context('.', { 'profile.json': JSON.stringify(profile) });
      const script = 'touch /f && chown 5:6 /f && stat -c %u:%g /f; mkdir /d 2>/dev/null && echo made || echo refused';
      const built = await attempt(other, busybox, script, { args });
      assert.equal(built.status, 0, messageOf(built));
      assert.equal(outputOf(built), want);
      const layer = (await layerDigests(other.root, built.digest)).at(-1) ?? '';
      const { uid, gid } = (await layerEntries(other.root, layer)).get('f') ?? {};
      assert.deepEqual([uid, gid], [5, 6]);
    });
  }

  for (const [limit, message] of [
    ['nofile=1', /^LIMIT_UNAVAILABLE: the limit "nofile" leaves no descriptor/],
    ['locks=5', /^LIMIT_UNAVAILABLE: the limit "locks" cannot be 5 where ids are emulated/],
  ] as const) {
    test(`the limit ${limit} is refused`, async () => {
      assert.match(messageOf(await attempt(cooper, busybox, 'true', { args: ['--ulimit', limit] })), message);
    });
  }
});

/** Entries of all layers, without their times. */
async function described(cooper: Cooper, { digest }: Built): Promise<readonly (readonly string[])[]> {
  const layers = await layerDigests(cooper.root, digest);
  return Promise.all(
    layers.map(async (layer) =>
      [...(await layerEntries(cooper.root, layer)).values()].map(({ name, type, mode, uid, gid, linkname, sha256 }) =>
        [name, type, mode.toString(8), uid, gid, linkname, sha256].join(' '),
      ),
    ),
  );
}

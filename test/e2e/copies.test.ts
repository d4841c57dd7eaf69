import assert from 'node:assert/strict';
import { chown, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Built, Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { layerEntries } from '../support/layer-entries.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { afterMounts } from '../support/situations.ts';
import { layerDigests } from '../support/stored.ts';
import { assertValid } from '../support/valid.ts';

// Where no overlay can be mounted, a step has a directory of its own, and what it changed is found by comparing. Its layer has to be the one that
// an overlay gives: here the same steps run with both.

const steps: readonly string[] = [
  // What later steps change.
  'mkdir -p /w/d/sub /w/empty /w/gone /w/kept && touch /w/d/old /w/d/sub/deep /w/gone/f /w/kept/a /w/file && chmod 4755 /w/file && ln /w/file /w/link',
  // A directory in the place of one, a file of one, one of a symlink.
  'rm -r /w/d && mkdir /w/d && touch /w/d/new && ln -s x /w/symlink',
  'rm -r /w/gone && echo file > /w/gone && rm /w/symlink && mkdir /w/symlink && touch /w/symlink/inside',
  // Metadata alone: also to what it was.
  'chown 1000:50 /w/gone && chmod 755 /w/kept && chmod 755 /w/kept/a && touch -d @1000 /w/kept/a',
  // Names of one file: one more, one less, and another's.
  'ln /w/gone /w/more',
  'rm /w/more',
  'mv /w/gone /w/moved',
  // Nothing of it is left but the times of directories.
  'touch /w/x /tmp/x && rm /w/x /tmp/x',
  'true',
  // What cannot be told by size and time.
  'printf aaaa > /w/text && touch -d @1000 /w/text',
  'printf bbbb > /w/text && touch -d @1000 /w/text',
  'dd if=/dev/zero of=/w/sparse bs=1 count=1 seek=1000000 2>/dev/null && mkfifo /w/fifo && mknod /w/null c 1 3 2>/dev/null || :',
  'find / -xdev | sort | grep -v -e ^/proc -e ^/sys -e ^/dev && cat /etc/hosts > /dev/null',
];
/** Mounts whose places are not in the image leave nothing behind. */
const mounted =
  '--mount=type=tmpfs,target=/w/empty --mount=type=cache,target=/c/ache --mount=type=secret,id=s --mount=type=bind,from=other,target=/other';

const dockerfile = (base: string) =>
  [
    `FROM ${base} AS other`,
    'RUN touch /of-another && rm -r /home',
    `FROM ${base}`,
    'ARG SOURCE_DATE_EPOCH',
    ...steps.map((step) => `RUN ${step}`),
    `RUN ${mounted} touch /w/empty/t /c/ache/c && cat /run/secrets/s && test -e /other/of-another -a ! -e /other/home`,
    'RUN --mount=type=bind,from=other,target=/other,rw touch /other/written && rm /other/of-another',
    'WORKDIR /w/made',
    'COPY Dockerfile .',
    'RUN rm Dockerfile',
    '',
  ].join('\n');

for (const { name, reason, install } of modes) {
  describe(`snapshots by copying: ${name}`, { skip: reason ?? false }, () => {
    let installation: Installation & AsyncDisposable;
    let registry: Registry;
    let base: string;

    before(async () => {
      installation = await install();
      registry = await startRegistry();
      base = await pushBase(await busyboxBase(), registry, 'busybox');
    });

    after(async () => {
      await registry?.[Symbol.asyncDispose]();
      await installation?.[Symbol.asyncDispose]();
    });

    const build = async (cooper: Cooper, snapshotter: string, args: readonly string[] = []): Promise<Built> => {
      const context = await cooper.context('steps', { Dockerfile: dockerfile(base) });
      const env = { COOPER_SNAPSHOTTER: snapshotter, SECRET: 'not in a layer' };
      return cooper.built(['-t', `by-${snapshotter || 'any'}`, '--no-cache', '--secret', 'id=s,env=SECRET', ...args, context], { env });
    };

    test('each step has the layer that an overlay gives, with an epoch to the byte, also on a store that is an overlay itself', async () => {
      await using cooper = await makeCooper(installation);
      const epoch = ['--build-arg', 'SOURCE_DATE_EPOCH=1000000000'];
      const overlay = await build(cooper, 'overlay', epoch);
      const copy = await build(cooper, 'copy');
      assert.equal(outputOf(copy), outputOf(overlay));
      assert.deepEqual(await described(cooper, copy), await described(cooper, overlay));
      await assertValid(cooper.root, 'by-copy');
      // What is taken there by itself: fuse-overlayfs could make no whiteouts.
      await using nested = await makeOnOverlay(installation);
      const { snapshotter, downgrades } = JSON.parse(await nested.ok(['doctor', '--json']));
      assert.equal(snapshotter, 'copy');
      const rungs = downgrades.map(({ rung }: { rung: string }) => rung);
      for (const rung of ['overlay', 'fuse-overlayfs']) assert.ok(rungs.includes(rung), `${rungs}`);
      assert.equal((await build(nested, '', epoch)).digest, overlay.digest);
      if (name !== 'root') return;
      const fuse = await build(cooper, 'fuse-overlayfs', epoch);
      const [wanted, given] = await Promise.all([overlay, fuse].map((built) => described(cooper, built)));
      // Where one of two names of a file goes, the layer has the other again, as it was.
      const same = (entry: string): boolean => !entry.startsWith('w/gone file');
      assert.deepEqual(
        given?.map((layer) => layer.filter(same)),
        wanted?.map((layer) => layer.filter(same)),
      );
    });
  });
}

/** Entries of all layers, without their times. */
async function described(cooper: Cooper, { digest }: Built): Promise<readonly (readonly string[])[]> {
  const layers = await layerDigests(cooper.root, digest);
  return Promise.all(
    layers.map(async (layer) => {
      const entries = [...(await layerEntries(cooper.root, layer)).values()];
      return entries.map(({ name, type, mode, uid, gid, linkname, sha256 }) =>
        [name, type, mode.toString(8), uid, gid, linkname, sha256].join(' '),
      );
    }),
  );
}

/** A command whose store is an overlay itself: nothing can be an upper directory there. */
async function makeOnOverlay(installation: Installation): Promise<Cooper> {
  const directory = await mkdtemp(join(installation.temporary, 'cooper-on-overlay-'));
  const all = ['store', 'lower', 'upper', 'work'].map((name) => join(directory, name));
  const [store, lower, upper, work] = all;
  for (const folder of all) await mkdir(folder);
  if (installation.owner) for (const folder of [directory, ...all]) await chown(folder, installation.owner.uid, installation.owner.gid);
  const script = `mount -t overlay -o lowerdir=${lower},upperdir=${upper},workdir=${work} overlay ${store}`;
  const command = [...afterMounts(script), ...installation.command] as unknown as Installation['command'];
  return new Cooper(directory, { ...installation, command });
}

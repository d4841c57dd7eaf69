import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import type { Built } from '../support/cooper.ts';
import { type ForgedBench, filledEntry, forgedBench } from '../support/forged-bench.ts';
import { busyboxLayer, changeLayers, type Entry, type Forged, forge, type LayerBytes, packLayer } from '../support/forged-images.ts';
import { assertIntact } from '../support/intact.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// Archives and documents that try to reach the machine when they are unpacked, or to pass for what they are not. `CANARY` stands for a
// folder of the machine, `UP` for the way to its root from anywhere.

interface Attack {
  readonly name: string;
  /** Layers over a busybox. */
  readonly layers: readonly (readonly Entry[])[];
  /** What a RUN shows of it, when it is harmless. */
  readonly shows?: { readonly script: string; readonly prints: string };
  /** What it is refused with. */
  readonly refused?: RegExp;
}

const link = (name: string, linkname: string): Entry => ({ name, linkname, type: 'symlink' });
const hard = (name: string, linkname: string): Entry => ({ name, linkname, type: 'link' });
const folder = (name: string): Entry => ({ name, type: 'directory', mode: 0o755 });
const file = (name: string, content = 'evil'): Entry => ({ name, content, mode: 0o644 });
const inside = (path: string): NonNullable<Attack['shows']> => ({ script: `cat ${path}`, prints: 'evil' });

const attacks: readonly Attack[] = [
  { name: 'a path with ..', layers: [[file('UPCANARY/file')]], shows: inside('CANARY/file') },
  { name: 'a path with .. in the middle', layers: [[folder('a'), file('a/../../../UPCANARY/file')]], shows: inside('CANARY/file') },
  { name: 'an absolute path', layers: [[file('CANARY/file')]], shows: inside('CANARY/file') },
  { name: 'a file through a symlink', layers: [[link('l', 'CANARY'), file('l/file')]], shows: inside('CANARY/file') },
  { name: 'a file through a relative symlink', layers: [[link('l', 'UPCANARY'), file('l/file')]], shows: inside('CANARY/file') },
  { name: 'a file through a symlink of a lower layer', layers: [[link('l', 'CANARY')], [file('l/file')]], shows: inside('CANARY/file') },
  { name: 'a file in the place of a symlink', layers: [[link('l', 'CANARY/file'), file('l')]], shows: inside('/l') },
  { name: 'a folder in the place of a symlink', layers: [[link('l', 'CANARY'), { ...folder('l'), mode: 0o777 }]] },
  { name: 'a whiteout through a symlink', layers: [[link('l', 'CANARY'), file('l/.wh.file', '')]], refused: /whiteout behind a symlink/ },
  { name: 'a whiteout through a lower symlink', layers: [[link('l', 'CANARY')], [file('l/.wh.file', '')]], refused: /whiteout behind/ },
  { name: 'an opaque mark through a symlink', layers: [[link('l', 'CANARY'), file('l/.wh..wh..opq', '')]], refused: /whiteout behind/ },
  { name: 'a hard link to a file of the machine', layers: [[hard('h', 'CANARY/file')]], refused: /hard link to/ },
  { name: 'a hard link by ..', layers: [[hard('h', 'UPCANARY/file')]], refused: /hard link to/ },
  { name: 'a hard link through a symlink', layers: [[link('l', 'CANARY'), hard('h', 'l/file')]], refused: /hard link to/ },
  {
    name: 'a hard link to a symlink, and a file over it',
    layers: [[link('l', 'CANARY/file'), hard('h', 'l'), file('h')]],
    shows: inside('/h'),
  },
  { name: 'the root is a symlink', layers: [[link('.', 'CANARY'), file('file')]], refused: /root that is no directory/ },
  { name: 'the root is a symlink, as ./', layers: [[link('./', 'CANARY'), file('file')]], refused: /root that is no directory/ },
  { name: 'the root is a file, as ..', layers: [[file('..')]], refused: /root that is no directory/ },
  { name: 'the root is a hard link', layers: [[hard('/', 'CANARY')]], refused: /root that is no directory/ },
  ...['.wh.', '.wh..', '.wh...', 'a/.wh..'].map((name) => ({
    name: `a whiteout ${name}`,
    layers: [[file(name, '')]],
    refused: /whiteout/,
  })),
  {
    name: 'marks of overlayfs as attributes',
    layers: [
      [folder('d'), file('d/file')],
      [
        {
          ...folder('d'),
          pax: Object.fromEntries(
            ['trusted', 'user'].flatMap((space) => [
              [`SCHILY.xattr.${space}.overlay.opaque`, 'y'],
              [`SCHILY.xattr.${space}.overlay.redirect`, '/bin'],
            ]),
          ),
        },
      ],
    ],
    shows: inside('/d/file'),
  },
  {
    name: 'a device that overlayfs takes as a whiteout',
    layers: [[{ name: 'bin/busybox', type: 'character-device', devmajor: 0, devminor: 0 }]],
    refused: /device that overlayfs/,
  },
  {
    name: 'a node of a disk, writable for all',
    layers: [[{ name: 'disk', type: 'block-device', devmajor: 7, devminor: 0, mode: 0o666 }]],
    shows: { script: '(exec 3</disk) 2>/dev/null && echo opened; true', prints: '' },
  },
  { name: 'a path deeper than the kernel takes', layers: [[file(`${'d/'.repeat(2100)}file`)]], refused: /impossible path|too long/ },
  { name: 'a name longer than the kernel takes', layers: [[file('n'.repeat(300))]], refused: /impossible path/ },
  { name: 'a PAX header beyond measure', layers: [[{ ...file('f'), pax: { comment: 'x'.repeat(2 << 20) } }]], refused: /too long/ },
  { name: 'two symlinks in a circle', layers: [[link('a', 'b'), link('b', 'a'), file('a/file')]], refused: /too many symlinks/ },
];

/** Each makes one part of an image lie. */
const lies: readonly { name: string; tell: (image: Forged, layer: LayerBytes) => void; refused: RegExp }[] = [
  { name: 'a blob of other bytes', tell: ({ blobs }, { blob }) => void blobs.set(digestOf(blob), flipped(blob)), refused: /IMAGE_INVALID/ },
  {
    name: 'a blob that is longer',
    tell: ({ blobs }, { blob }) => void blobs.set(digestOf(blob), Buffer.concat([blob, Buffer.alloc(9)])),
    refused: /IMAGE_INVALID/,
  },
  {
    name: 'a blob that is shorter',
    tell: ({ blobs }, { blob }) => void blobs.set(digestOf(blob), blob.subarray(0, -9)),
    refused: /IMAGE_INVALID/,
  },
  {
    name: 'another size',
    tell: (image) => changeLayers(image, (layer) => ({ ...layer, size: Number(layer.size) + 1 })),
    refused: /IMAGE_INVALID/,
  },
  { name: 'a negative size', tell: (image) => changeLayers(image, (layer) => ({ ...layer, size: -1 })), refused: /IMAGE_INVALID/ },
  ...['sha256:../../../../x', `sha256:${'../'.repeat(21)}x`, 'sha256:', '../x', `SHA256:${'a'.repeat(64)}`].map((digest) => ({
    name: `the digest ${digest}`,
    tell: (image: Forged) => changeLayers(image, (layer) => ({ ...layer, digest })),
    refused: /IMAGE_INVALID/,
  })),
  {
    name: 'a layer that the config names another diffID for',
    tell: (image) => {
      const [old = '', config] = [...image.blobs].find(([, bytes]) => bytes.includes('diff_ids')) ?? [];
      const text = String(config).replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`);
      image.blobs.delete(old);
      image.blobs.set(digestOf(Buffer.from(text)), Buffer.from(text));
      image.manifest = { ...image.manifest, config: { ...Object(image.manifest.config), digest: digestOf(Buffer.from(text)) } };
    },
    refused: /IMAGE_INVALID.*diffID/,
  },
  {
    // CVE-2021-41190: one document, read as two things.
    name: 'a manifest that is an index too',
    tell: (image) => {
      image.manifest = { ...image.manifest, manifests: [] };
    },
    refused: /IMAGE_INVALID/,
  },
  {
    name: 'a manifest that is sent as an index',
    tell: (image) => {
      image.manifestType = 'application/vnd.oci.image.index.v1+json';
    },
    refused: /IMAGE_INVALID/,
  },
  {
    name: 'a manifest that says it is an index',
    tell: (image) => {
      image.manifest = { ...image.manifest, mediaType: 'application/vnd.oci.image.index.v1+json' };
    },
    refused: /IMAGE_INVALID/,
  },
];

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}

for (const mode of modes) {
  describe(`hostile layers as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let bench: ForgedBench;
    let busybox: LayerBytes;
    let images = 0;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      bench = await forgedBench(mode, cleanup);
      busybox = await busyboxLayer();
    });

    after(async () => {
      await assertIntact(bench.cooper);
      await cleanup.disposeAsync();
    });

    afterEach(() => bench.canary.assertUntouched());

    async function build(image: Forged, script: string): Promise<Built> {
      const { registry, cooper, filled } = bench;
      const name = `image${images++}`;
      registry.images.set(name, image);
      const dockerfile = `FROM ${registry.host}/${name}:1\nRUN ${filled(script)}\n`;
      // The same tree by another archive would be a hit.
      return cooper.build(['--no-cache', await cooper.context(name, { Dockerfile: dockerfile })]);
    }

    for (const { name, layers, shows, refused } of attacks) {
      test(name, async () => {
        const own = layers.map((entries) => entries.map((each) => filledEntry(each, bench.filled)));
        const built = await build(await forge([busybox, ...own]), shows?.script ?? 'true');
        assert.equal(built.status, refused ? 1 : 0, messageOf(built));
        if (refused) assert.match(messageOf(built), refused);
        assert.equal(outputOf(built), shows?.prints ?? '');
      });
    }

    for (const { name, tell, refused } of lies) {
      test(name, async () => {
        const layer = await packLayer([file(`lie-${images}`)]);
        const image = await forge([layer]);
        tell(image, layer);
        const built = await build(image, 'true');
        assert.equal(built.status, 1, messageOf(built));
        assert.match(messageOf(built), refused);
      });
    }

    test('a layer that grows a thousandfold', { skip: mode.name !== 'root' }, async () => {
      const member = gzipSync(Buffer.alloc(64 << 20));
      // 6 GiB of nothing after the end of an archive: neither memory nor disk is needed for them, only patience.
      const blob = Buffer.concat([(await packLayer([file('f')])).blob, ...Array<Buffer>(96).fill(member)]);
      const built = await build(await forge([{ blob, diffID: digestOf(Buffer.from('anything')) }]), 'true');
      assert.equal(built.status, 1, messageOf(built));
      assert.match(messageOf(built), /grows beyond all measure/);
    });

    test('nothing lies beside the store', async () => {
      const names = await readdir(bench.cooper.directory);
      assert.deepEqual(
        names.filter((name) => !/^(store|image\d+)$/.test(name)),
        [],
      );
    });
  });
}

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import type { Cooper } from '../support/cooper.ts';
import { forgedBench } from '../support/forged-bench.ts';
import { busyboxLayer, type Entry, type ForgedRegistry, forge } from '../support/forged-images.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { layerDigests } from '../support/stored.ts';

// Files that a user without rights cannot make: a base that has them is packed again with them, whoever builds. The archive that is written is compared with
// the one that was forged.

/** A capability of version 2, effective: CAP_NET_BIND_SERVICE. Source: linux/capability.h. */
const capability = String.fromCharCode(1, 0, 0, 2, 0, 4, ...Array<number>(14).fill(0));

const odd: readonly Entry[] = [
  { name: 'odd', type: 'directory', mode: 0o1777, uid: 3, gid: 4 },
  { name: 'odd/block', type: 'block-device', devmajor: 7, devminor: 300, mode: 0o660, uid: 0, gid: 6 },
  { name: 'odd/capable', content: 'program', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': capability } },
  { name: 'odd/char', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666, uid: 5, gid: 6 },
  { name: 'odd/directory', type: 'directory', mode: 0o2775, uid: 1000, gid: 50 },
  { name: 'odd/pipe', type: 'fifo', mode: 0o604, uid: 1000, gid: 1000 },
  { name: 'odd/setgid', content: 'program', mode: 0o2711, uid: 1000, gid: 42 },
  { name: 'odd/setuid', content: 'program', mode: 0o4755, uid: 65_534, gid: 65_534 },
];

const capabilityOf = (pax: unknown) => (pax as Readonly<Record<string, string>> | undefined)?.['SCHILY.xattr.security.capability'];

type Shown = Pick<Header, 'name' | 'type' | 'mode' | 'uid' | 'gid' | 'devmajor' | 'devminor'> & { readonly capability: string | undefined };

const shown = ({ name, type, mode, uid, gid, devmajor, devminor, pax }: Partial<Header> & { name: string }): Shown => ({
  name: name.replace(/\/$/, ''),
  type: type ?? 'file',
  mode: mode ?? 0,
  uid: uid ?? 0,
  gid: gid ?? 0,
  devmajor: devmajor ?? 0,
  devminor: devminor ?? 0,
  capability: capabilityOf(pax),
});

async function oddEntries(root: string, digest: string): Promise<Shown[]> {
  const found: Shown[] = [];
  const tar = createReadStream(join(root, 'blobs', digest.replace(':', '/')))
    .pipe(createGunzip())
    .pipe(extract());
  for await (const entry of tar) {
    entry.resume();
    if (/^odd\b/.test(entry.header.name)) found.push(shown(entry.header));
  }
  return found.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

describe('files that only root can make', { concurrency: false }, () => {
  const layers: string[] = [];
  for (const mode of modes) {
    describe(mode.name, { skip: mode.reason ?? false }, () => {
      let cleanup: AsyncDisposableStack;
      let registry: ForgedRegistry;
      let cooper: Cooper;

      before(async () => {
        cleanup = new AsyncDisposableStack();
        ({ registry, cooper } = await forgedBench(mode, cleanup));
        registry.images.set('odd', await forge([await busyboxLayer(), odd]));
      });

      after(async () => cleanup?.disposeAsync());

      test('are in the layer of a copy, as they were', async () => {
        const Dockerfile = `FROM ${registry.host}/odd:1 AS odd\nFROM scratch\nCOPY --from=odd / /\n`;
        const { digest } = await cooper.built(['--build-arg=SOURCE_DATE_EPOCH=1', await cooper.context('copied', { Dockerfile })]);
        const [layer = ''] = await layerDigests(cooper.root, digest ?? '');
        assert.deepEqual(await oddEntries(cooper.root, layer), odd.map(shown));
        layers.push(layer);
      });

      test('stay what they are when a step changes others', async () => {
        const script = 'chmod 711 /odd/setuid; stat -c "%n %F %a %u:%g" /odd/setuid /odd/setgid /odd/pipe';
        const Dockerfile = `FROM ${registry.host}/odd:1\nRUN ${script}\n`;
        const built = await cooper.built([await cooper.context('changed', { Dockerfile })]);
        const want = [
          '/odd/setuid regular file 711 65534:65534',
          '/odd/setgid regular file 2711 1000:42',
          '/odd/pipe fifo 604 1000:1000',
          '',
        ];
        assert.equal(outputOf(built), want.join('\n'));
        const layer = (await layerDigests(cooper.root, built.digest ?? '')).at(-1) ?? '';
        const setuid = { ...shown(odd.at(-1) as Entry), mode: 0o711 };
        assert.deepEqual(
          (await oddEntries(cooper.root, layer)).filter(({ type }) => type !== 'directory'),
          [setuid],
        );
      });
    });
  }

  test('are the same bytes for whoever builds', { skip: modes.some(({ reason }) => reason) && 'only one can build here' }, () => {
    assert.deepEqual(layers, [layers[0], layers[0]]);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import type { Canary } from '../support/canary.ts';
import type { Built, Cooper } from '../support/cooper.ts';
import { forgedBench } from '../support/forged-bench.ts';
import {
  changeLayers,
  type Forged,
  type ForgedRegistry,
  forge,
  type LayerBytes,
  packLayer,
  writeLayout,
} from '../support/forged-images.ts';
import { messageOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// Manifests and configs that are not what they say, or more than anybody can hold: from a registry, and as a layout of a named context.
// Those of layers and of single answers: hostile-layers.test.ts, test/registry/.

interface Lie {
  readonly name: string;
  readonly tell: (image: Forged, layer: LayerBytes) => void;
  readonly refused: RegExp;
}

type Layer = Record<string, unknown>;

/** Writes another config. */
function configure(image: Forged, how: (config: Record<string, unknown>) => Record<string, unknown>): void {
  const [old = '', bytes = Buffer.of()] = [...image.blobs].find(([, each]) => each.includes('diff_ids')) ?? [];
  const config = Buffer.from(JSON.stringify(how(JSON.parse(String(bytes)))));
  image.blobs.delete(old);
  image.blobs.set(digestOf(config), config);
  image.manifest = { ...image.manifest, config: { ...Object(image.manifest.config), digest: digestOf(config), size: config.length } };
}

/** Puts another blob in the place of the layer, under a descriptor that is true. */
function replace(image: Forged, blob: Buffer): void {
  image.blobs.set(digestOf(blob), blob);
  changeLayers(image, (layer) => ({ ...layer, digest: digestOf(blob), size: blob.length }));
}

const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

const lies: readonly Lie[] = [
  ...[2 ** 53, 2 ** 63, 1e300, -(2 ** 63), 1.5, '12', null].map((size) => ({
    name: `a size of ${size}`,
    tell: (image: Forged) => changeLayers(image, (layer) => ({ ...layer, size })),
    refused: /^IMAGE_INVALID: .*"size"/,
  })),
  ...[0, 1, -1].map((more) => ({
    name: `a config whose size is ${more === 0 ? '5 MB' : `wrong by ${more}`}`,
    tell: (image: Forged) => {
      const config = Object(image.manifest.config);
      image.manifest = { ...image.manifest, config: { ...config, size: more === 0 ? 5_000_000 : config.size + more } };
    },
    refused: /^IMAGE_INVALID: /,
  })),
  {
    name: 'a config with a million rows of history',
    tell: (image) => configure(image, (config) => ({ ...config, history: Array(1_000_000).fill({ empty_layer: true }) })),
    refused: /^IMAGE_INVALID: the config of .* is longer than 4194304 bytes/,
  },
  {
    name: 'a hundred thousand layers',
    tell: (image) => {
      image.manifest = { ...image.manifest, layers: Array(100_000).fill((image.manifest.layers as Layer[])[0]) };
    },
    refused: /^IMAGE_INVALID: .*(longer|more) than 4194304/,
  },
  {
    name: 'more layers than diffIDs',
    tell: (image) => {
      image.manifest = { ...image.manifest, layers: Array(15_000).fill((image.manifest.layers as Layer[])[0]) };
    },
    refused: /^IMAGE_INVALID: .* has 15000 layers and 1 diffIDs/,
  },
  {
    name: 'a manifest of 100 MB',
    tell: (image) => {
      image.manifest = { ...image.manifest, annotations: { x: 'x'.repeat(100_000_000) } };
    },
    refused: /^IMAGE_INVALID: .*(longer|more) than 4194304/,
  },
  {
    name: 'lists within lists',
    tell: (image) => {
      let nested: unknown = [];
      for (let depth = 0; depth < 3000; depth++) nested = [nested];
      image.manifest = { ...image.manifest, layers: nested };
    },
    refused: /^IMAGE_INVALID: /,
  },
  ...['application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.layer.v1.tar+lzma', '', 'text/html', foreign].map(
    (mediaType) => ({
      name: `a layer of type "${mediaType}"`,
      tell: (image: Forged) => changeLayers(image, (layer) => ({ ...layer, mediaType })),
      refused: /^IMAGE_INVALID: .*layer of type/,
    }),
  ),
  {
    name: 'the config in the place of the layer',
    tell: (image) => changeLayers(image, (layer) => ({ ...Object(image.manifest.config), mediaType: layer.mediaType })),
    refused: /^IMAGE_INVALID: /,
  },
  { name: 'no gzip', tell: (image) => replace(image, Buffer.from('\x1f\x8bnothing of the kind')), refused: /^IMAGE_INVALID: / },
  { name: 'half a gzip', tell: (image, { blob }) => replace(image, blob.subarray(0, 60)), refused: /^IMAGE_INVALID: / },
  {
    name: 'a zstd with a window of 2 GiB',
    tell: (image) => replace(image, Buffer.from('28b52ffd00a8010000', 'hex')),
    refused: /^IMAGE_INVALID: /,
  },
  {
    name: 'frames of zstd that hold nothing, a million of them',
    tell: (image) =>
      replace(image, Buffer.concat([zstdCompressSync(Buffer.alloc(0)), Buffer.alloc(8_000_000, Buffer.from('502a4d1800000000', 'hex'))])),
    refused: /^IMAGE_INVALID: /,
  },
  {
    name: 'members of gzip that hold nothing, a hundred thousand of them',
    tell: (image) => replace(image, Buffer.concat(Array<Buffer>(100_000).fill(gzipSync(Buffer.of())))),
    refused: /^IMAGE_INVALID: /,
  },
];

for (const mode of modes) {
  describe(`hostile documents as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let registry: ForgedRegistry;
    let cooper: Cooper;
    let canary: Canary;
    let images = 0;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ registry, cooper, canary } = await forgedBench(mode, cleanup));
    });

    after(async () => cleanup?.disposeAsync());
    afterEach(() => canary.assertUntouched());

    /** A COPY from it reads its layers. */
    async function build(from: string, name: string): Promise<Built> {
      const context = await cooper.context(name, { Dockerfile: 'FROM scratch\nCOPY --from=hostile / /\n' });
      return cooper.build(['--no-cache', '--build-context', `hostile=${from}`, context]);
    }

    for (const { name, tell, refused } of lies) {
      test(name, async () => {
        const own = `image${images++}`;
        const layer = await packLayer([{ name: own, content: own }]);
        const image = await forge([layer]);
        tell(image, layer);
        registry.images.set(own, image);
        const layout = join(cooper.directory, `${own}.layout`);
        await writeLayout(layout, image);
        // Side by side: neither has anything that the other could keep.
        const built = await Promise.all([
          build(`docker-image://${registry.host}/${own}:1`, own),
          build(`oci-layout://${layout}`, `${own}.layout.context`),
        ]);
        for (const each of built) assert.match(messageOf(each), refused);
        registry.images.delete(own);
      });
    }

    // CVE-2020-15157: what a layer calls its place is nobody that cooper talks to, with or without credentials.
    test('the urls of a layer are asked for nothing', async () => {
      const asked: string[] = [];
      const other = createServer((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
        response.end();
      }).listen(0, '127.0.0.1');
      await once(other, 'listening');
      try {
        const { port } = other.address() as { port: number };
        for (const mediaType of [foreign, 'application/vnd.oci.image.layer.v1.tar+gzip']) {
          const image = await forge([[{ name: 'f', content: mediaType }]]);
          changeLayers(image, (layer) => ({ ...layer, mediaType, urls: [`http://127.0.0.1:${port}/layer`] }));
          // The registry has no such blob: the urls would be the only place.
          const missing = Object((image.manifest.layers as Layer[])[0]).digest;
          image.blobs.delete(missing);
          registry.images.set('urls', image);
          await cooper.context('.docker', { 'config.json': JSON.stringify({ auths: { [registry.host]: { auth: 'dTpw' } } }) });
          assert.match(messageOf(await build(`docker-image://${registry.host}/urls:1`, 'urls')), /^(IMAGE_INVALID|REGISTRY_FAILED): /);
        }
        assert.deepEqual(asked, []);
      } finally {
        other.close();
      }
    });

    test('a layout whose files lead to the machine shows none of them', async () => {
      const layout = join(cooper.directory, 'links');
      await mkdir(join(layout, 'blobs'), { recursive: true });
      await symlink(join(canary.path, 'file'), join(layout, 'index.json'));
      const first = messageOf(await build(`oci-layout://${layout}`, 'links'));
      assert.match(first, /^IMAGE_INVALID: /);
      assert.doesNotMatch(first, /canary sings/);
    });

    test('a layout with an index of a terabyte', async () => {
      const layout = join(cooper.directory, 'terabyte');
      await mkdir(layout);
      await writeFile(join(layout, 'index.json'), '{');
      await truncate(join(layout, 'index.json'), 2 ** 40);
      assert.match(messageOf(await build(`oci-layout://${layout}`, 'terabyte.context')), /^IMAGE_INVALID: .* more than 4194304 bytes/);
    });
  });
}

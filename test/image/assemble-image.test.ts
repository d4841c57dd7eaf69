import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleImage, type BuiltLayer, type ImageParts } from '../../src/image/assemble-image.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import type { History } from '../../src/oci/image-config.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const day = (number: number) => `2024-01-0${number}T00:00:00Z`;
const diffID = (text: string) => digestOf(text) as string as DiffID;

const layer = (name: string, created: string | undefined): BuiltLayer => ({
  diffID: diffID(name),
  blob: { mediaType: mediaTypes.layerGzip, digest: digestOf(`blob ${name}`), size: 10 },
  created,
});

interface Row {
  readonly by: string;
  readonly layer?: BuiltLayer;
}

function parts(rows: readonly Row[], baseHistory: readonly History[] = [], baseLayers = 0, epoch?: number): ImageParts {
  return {
    plan: {
      platform,
      epoch,
      config: { Cmd: ['/x'] },
      author: undefined,
      baseHistory,
      history: rows.map(({ by, layer: made }) => ({ createdBy: by, ...(made && { vertex: digestOf(by) }) })),
    },
    base: Array.from({ length: baseLayers }, (_, at) => ({
      diffID: diffID(`base ${at}`),
      descriptor: { mediaType: mediaTypes.dockerLayerGzip, digest: digestOf(`base blob ${at}`), size: 5 },
    })),
    layers: new Map(rows.flatMap(({ by, layer: made }) => (made ? [[digestOf(by), made]] : []))),
  };
}

/** `created created_by [empty]`, one for each row. */
const rowsOf = (input: ImageParts): string[] =>
  (assembleImage(input).config.value.history ?? []).map((row) =>
    [row.created ?? '-', row.created_by ?? '-', ...(row.empty_layer ? ['empty'] : [])].join(' '),
  );

// Wanted: what BuildKit's normalizeLayersAndHistory gives, worked out by hand from its source.
for (const { name, input, want } of [
  {
    name: 'rows without a layer take the time of the first new layer',
    input: parts([
      { by: 'ENV a' },
      { by: 'COPY', layer: layer('c', day(2)) },
      { by: 'CMD' },
      { by: 'RUN', layer: layer('r', day(3)) },
      { by: 'USER' },
    ]),
    want: [`${day(2)} ENV a empty`, `${day(2)} COPY`, `${day(2)} CMD empty`, `${day(3)} RUN`, `${day(3)} USER empty`],
  },
  {
    name: 'rows after a base take the time of the first new layer, not of the base',
    input: parts([{ by: 'ENV a' }, { by: 'COPY', layer: layer('c', day(2)) }], [{ created: day(1), created_by: 'base' }], 1),
    want: [`${day(1)} base`, `${day(2)} ENV a empty`, `${day(2)} COPY`],
  },
  {
    name: 'rows with no new layer take the last time of the base',
    input: parts([{ by: 'ENV a' }], [{ created: day(1), created_by: 'base' }], 1),
    want: [`${day(1)} base`, `${day(1)} ENV a empty`],
  },
  { name: 'nothing has a time where no layer is', input: parts([{ by: 'CMD' }]), want: ['- CMD empty'] },
  {
    name: 'an empty layer takes the time of its neighbours, and is no empty row',
    input: parts([
      { by: 'RUN true', layer: layer('r', undefined) },
      { by: 'COPY', layer: layer('c', day(1)) },
      { by: 'RUN :', layer: layer('r', undefined) },
    ]),
    want: [`${day(1)} RUN true`, `${day(1)} COPY`, `${day(1)} RUN :`],
  },
  {
    name: 'with an epoch all new rows have that time, and those of the base keep theirs',
    input: parts(
      [{ by: 'ENV a' }, { by: 'COPY', layer: layer('c', day(2)) }, { by: 'CMD' }],
      [
        { created: day(1), created_by: 'base' },
        { created_by: 'untimed', empty_layer: true },
      ],
      1,
      100,
    ),

    want: [
      `${day(1)} base`,
      '1970-01-01T00:01:40Z untimed empty',
      '1970-01-01T00:01:40Z ENV a empty',
      '1970-01-01T00:01:40Z COPY',
      '1970-01-01T00:01:40Z CMD empty',
    ],
  },
  {
    name: 'a base without a history gets a row for each layer',
    input: parts([{ by: 'COPY', layer: layer('c', day(2)) }], [], 2),
    want: [`${day(2)} `, `${day(2)} `, `${day(2)} COPY`],
  },
  {
    name: 'a history that is longer than the base is dropped',
    input: parts([{ by: 'COPY', layer: layer('c', day(2)) }], [{ created_by: 'a' }, { created_by: 'b' }], 1),
    want: [`${day(2)} `, `${day(2)} COPY`],
  },
]) {
  test(name, () => assert.deepEqual(rowsOf(input), want));
}

test('layers, diffIDs and rows with a layer stand in one order', () => {
  const rows = [
    { by: 'A', layer: layer('a', day(1)) },
    { by: 'B', layer: layer('b', day(1)) },
    { by: 'C', layer: layer('c', day(2)) },
  ];
  const { config, manifest } = assembleImage(parts(rows, [{ created_by: 'base' }], 1));
  assert.deepEqual(config.value.rootfs.diff_ids, [diffID('base 0'), diffID('a'), diffID('b'), diffID('c')]);
  assert.deepEqual(
    manifest.value.layers.map(({ digest }) => digest),
    [digestOf('base blob 0'), digestOf('blob a'), digestOf('blob b'), digestOf('blob c')],
  );
  assert.ok(manifest.value.layers.every(({ mediaType }) => mediaType === mediaTypes.layerGzip));
  assert.equal(config.value.created, day(2));
});

test('the bytes have the order of the Go structs, and maps are sorted', () => {
  const input = parts([{ by: 'COPY <x> & "y"', layer: layer('c', day(2)) }]);
  const { config, manifest } = assembleImage({
    ...input,
    plan: { ...input.plan, author: 'me', config: { Labels: { b: '2', a: '1', 10: 'x', 9: 'y' }, Env: ['A=1'], User: 'u' } },
  });
  assert.equal(
    config.bytes.toString(),
    '{"created":"2024-01-02T00:00:00Z","author":"me","architecture":"amd64","os":"linux",' +
      '"config":{"User":"u","Env":["A=1"],"Labels":{"9":"y","10":"x","a":"1","b":"2"}},' +
      `"rootfs":{"type":"layers","diff_ids":["${diffID('c')}"]},` +
      '"history":[{"created":"2024-01-02T00:00:00Z","created_by":"COPY <x> & \\"y\\"","comment":"buildkit.dockerfile.v0"}]}',
  );
  assert.equal(
    manifest.bytes.toString(),
    `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"${digestOf(config.bytes)}","size":${config.bytes.length}},` +
      `"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"${digestOf('blob c')}","size":10}]}`,
  );
  assert.equal(manifest.descriptor.digest, digestOf(manifest.bytes));
});

test('a row whose layer was not made is a defect', () => {
  assert.throws(() => assembleImage({ ...parts([{ by: 'A', layer: layer('a', day(1)) }]), layers: new Map() }), /no layer was made/);
});

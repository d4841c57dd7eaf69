import { familiarReference, parseReference } from '../../oci/reference.ts';
import { type FoundImage, findImage } from '../../store/find-image.ts';
import { Store, type StoreReader } from '../../store/store.ts';
import { readStoredImage } from '../../store/stored-image.ts';
import { defineCommand } from '../command.ts';
import { needRoot } from '../globals.ts';

export const command = defineCommand({
  name: 'inspect',
  summary: 'shows all about images as a JSON array',
  operands: 'IMAGE...',
  count: [1, 1000],
  flags: [],
  unavailable: [
    { name: 'format', short: 'f', hint: 'the output is JSON: use a tool that picks from it' },
    { name: 'size', short: 's', hint: 'leave it out: "Size" is always there' },
    { name: 'type', hint: 'leave it out: there are only images' },
  ],
  details: [
    'The keys are those of "docker image inspect". "Id" is the digest of the manifest, "Size" that of config and compressed layers.',
  ],
  defaults: () => ({}),
  run: async (globals, names, { writeResult }) => {
    const store = Store.openForReading(needRoot(globals));
    const images = [];
    for (const name of names) images.push(await describe(store, await findImage(store, name)));
    await writeResult(`${JSON.stringify(images, undefined, 2)}\n`);
    return 0;
  },
});

async function describe(store: StoreReader, { descriptor }: FoundImage): Promise<object> {
  const { config, manifest, size, descriptor: own } = await readStoredImage(store, descriptor);
  const references = (await store.refs.list())
    .filter((ref) => ref.descriptor.digest === descriptor.digest)
    .map(({ name }) => parseReference(name));
  const repositories = new Set(references.map(({ registry, repository }) => familiarReference({ registry, repository })));
  return {
    Id: descriptor.digest,
    RepoTags: references.filter(({ tag }) => tag !== undefined).map(familiarReference),
    RepoDigests: [...repositories].map((repository) => `${repository}@${descriptor.digest}`),
    Created: config.created,
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture,
    Variant: config.variant,
    Os: config.os,
    OsVersion: config['os.version'],
    Size: size,
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Descriptor: descriptor,
    // Which of the index's manifests the rest is about.
    Manifest: own.digest === descriptor.digest ? undefined : own,
    ConfigDigest: manifest.config.digest,
  };
}

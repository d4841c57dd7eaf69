import { BuildError } from '../../diagnostics/build-error.ts';
import { familiarReference, parseReference } from '../../oci/reference.ts';
import { openSession } from '../../session.ts';
import { findImage } from '../../store/find-image.ts';
import { Store, type StoreReader } from '../../store/store.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';

export const command = defineCommand({
  name: 'rmi',
  summary: 'removes names of images, given by name or by digest',
  operands: 'IMAGE...',
  count: [1, 1000],
  flags: [{ name: 'force', short: 'f', help: 'also all names of a digest; no error for what is not there', set: sets('force') }],
  unavailable: [{ name: 'no-prune', hint: 'leave it out: layers stay, they are the cache of later builds' }],
  details: ['The layers stay in the store: they are the cache of later builds.'],
  defaults: () => ({ force: false }),
  run: async ({ force, ...globals }, images, { signal, writeResult }) => {
    const root = needRoot(globals);
    // All are looked up before the first one goes: a name that is mistyped changes nothing.
    const names = await namesOf(Store.openForReading(root), images, force);
    if (names.length === 0) return 0;
    await using session = await openSession(root, signal);
    for (const name of names) {
      if (await session.store.refs.delete(name)) await writeResult(`Untagged: ${familiarReference(parseReference(name))}\n`);
    }
    return 0;
  },
});

async function namesOf(store: StoreReader, images: readonly string[], force: boolean): Promise<string[]> {
  const names = new Set<string>();
  for (const image of images) {
    try {
      for (const name of await namesOfOne(store, image, force)) names.add(name);
    } catch (error) {
      if (!force || !(error instanceof BuildError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
    }
  }
  return [...names];
}

async function namesOfOne(store: StoreReader, image: string, force: boolean): Promise<string[]> {
  const { name, descriptor } = await findImage(store, image);
  if (name !== undefined) return [name];
  const names = (await store.refs.list()).filter((ref) => ref.descriptor.digest === descriptor.digest).map((ref) => ref.name);
  if (names.length <= 1 || force) return names;
  throw new BuildError('ARG_INVALID', `"${image}" has ${names.length} names`, { hint: 'say which one, or use --force for all of them' });
}

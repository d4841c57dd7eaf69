import { type Canary, makeCanary } from './canary.ts';
import { type Cooper, type Installation, makeCooper } from './cooper.ts';
import { type Entry, type ForgedRegistry, startForgedRegistry } from './forged-images.ts';
import type { Mode } from './modes.ts';

/** What tests of forged images begin with. */
export interface ForgedBench {
  readonly installation: Installation;
  readonly registry: ForgedRegistry;
  readonly cooper: Cooper;
  readonly canary: Canary;
  /** A text in which `CANARY` stands for a folder of the machine, `UP` for the way to its root from anywhere. */
  readonly filled: (text: string) => string;
}

/** A command in an empty folder, a registry for what is forged, and a canary, until `cleanup` is disposed of. */
export async function forgedBench(mode: Mode, cleanup: AsyncDisposableStack): Promise<ForgedBench> {
  const installation = cleanup.use(await mode.install());
  const registry = cleanup.use(await startForgedRegistry());
  const cooper = cleanup.use(await makeCooper(installation));
  const canary = cleanup.use(await makeCanary(installation));
  const filled = (text: string): string => text.replaceAll('UP', '../../../../../..').replaceAll('CANARY', canary.path);
  return { installation, registry, cooper, canary, filled };
}

/** An entry of an archive, with the words in its names filled in. */
export const filledEntry = <E extends Pick<Entry, 'name' | 'linkname'>>(entry: E, filled: ForgedBench['filled']): E => ({
  ...entry,
  name: filled(entry.name),
  ...(entry.linkname && { linkname: filled(entry.linkname) }),
});

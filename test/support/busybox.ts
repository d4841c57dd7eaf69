import { busyboxBase, pushBase } from './bases.ts';
import { type Cooper, type Installation, makeCooper } from './cooper.ts';
import type { Mode } from './modes.ts';
import { type Registry, startRegistry } from './registry.ts';

/** What most tests of a mode begin with. */
export interface WithBusybox {
  readonly installation: Installation;
  readonly registry: Registry;
  readonly cooper: Cooper;
  /** A busybox in the registry, for FROM. */
  readonly base: string;
}

/** A command in an empty folder, and a base for its Dockerfiles, until `cleanup` is disposed of. */
export async function cooperWithBusybox(mode: Mode, cleanup: AsyncDisposableStack): Promise<WithBusybox> {
  const installation = cleanup.use(await mode.install());
  const registry = cleanup.use(await startRegistry());
  const cooper = cleanup.use(await makeCooper(installation));
  return { installation, registry, cooper, base: await pushBase(await busyboxBase(), registry, 'busybox') };
}

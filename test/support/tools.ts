import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Runs another program to its end; gives its standard output. Throws with its standard error when it fails. */
export async function tool(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1 << 26, env: { ...process.env, ...env } });
  return stdout;
}

/** buildah and podman with a storage of their own, so that they neither see nor leave anything: `await using peer = await containers()`. */
export interface Containers extends AsyncDisposable {
  buildah(...args: string[]): Promise<string>;
  podman(...args: string[]): Promise<string>;
  /** Where the storage is. */
  readonly root: string;
}

export async function containers(): Promise<Containers> {
  const directory = await mkdtemp(join(tmpdir(), 'cooper-peer-'));
  // vfs works wherever files do.
  const storage = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs'];
  return {
    buildah: (...args) => tool('buildah', [...storage, ...args]),
    podman: (...args) => tool('podman', [...storage, '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...args]),
    root: join(directory, 'root'),
    async [Symbol.asyncDispose]() {
      // buildah keeps mounts below the storage as long as its working containers are there.
      await tool('buildah', [...storage, 'rm', '--all']).catch(() => {});
      await rm(directory, { recursive: true, force: true });
    },
  };
}

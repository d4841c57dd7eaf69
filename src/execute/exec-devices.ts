import { stat } from 'node:fs/promises';
import type { DeviceNode, Edits } from '../devices/edits.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SandboxDevice, SandboxMount } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';
import { once } from './once.ts';

/** What the worker is told of the devices of a container. */
export interface GivenDevices {
  readonly devices: readonly SandboxDevice[];
  readonly mounts: readonly SandboxMount[];
}

/** Opens what a container gets of the host, once for all containers of a worker. Throws UNSUPPORTED for a device that is not there. */
export async function giveDevices(
  { nodes, mounts }: Pick<Edits, 'nodes' | 'mounts'>,
  worker: Worker,
  signal: AbortSignal,
): Promise<GivenDevices> {
  return {
    devices: await Promise.all(nodes.map((node) => deviceOf(node, worker, signal))),
    mounts: await Promise.all(
      mounts.map(async ({ hostPath, path: target, readonly }): Promise<SandboxMount> => {
        const handle = await handleOf(hostPath, readonly ? 'read' : 'write', worker, signal);
        return { type: 'bind', target, readonly, handle, source: '/' };
      }),
    ),
  };
}

async function deviceOf(node: DeviceNode, worker: Worker, signal: AbortSignal): Promise<SandboxDevice> {
  const { path, hostPath, mode, uid, gid, ofUser } = node;
  await checkNode(node);
  const handle = await handleOf(hostPath, 'write', worker, signal);
  return {
    handle,
    path,
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(ofUser && { ofUser }),
  };
}

/** What a specification says of a node must be so: else it is that of another machine, or of another day. */
async function checkNode({ hostPath, type, major, minor }: DeviceNode): Promise<void> {
  const stats = await stat(hostPath).catch((cause: Error) => {
    throw new BuildError('UNSUPPORTED', `the device "${hostPath}" is not there: ${cause.message}`, { cause });
  });
  const is = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : undefined;
  if (!is) throw new BuildError('UNSUPPORTED', `"${hostPath}" is no device`, { hint: 'files and directories are shown with --volume' });
  const wanted = type === 'u' ? 'c' : type;
  const numbers = numbersOf(stats.rdev);
  if ((wanted === undefined || wanted === is) && (major ?? numbers.major) === numbers.major && (minor ?? numbers.minor) === numbers.minor)
    return;
  throw new BuildError(
    'UNSUPPORTED',
    `the device "${hostPath}" is ${is} ${numbers.major}:${numbers.minor}, not what its specification says`,
  );
}

/** Source: the kernel's include/linux/kdev_t.h, `new_encode_dev`, as glibc widens it. */
const numbersOf = (device: number): { readonly major: number; readonly minor: number } => ({
  major: (device >>> 8) & 0xfff,
  minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
});

const opened = new WeakMap<Worker, Map<string, (signal: AbortSignal) => Promise<string>>>();

function handleOf(path: string, access: 'read' | 'write', worker: Worker, signal: AbortSignal): Promise<string> {
  const handles = opened.get(worker) ?? new Map<string, (signal: AbortSignal) => Promise<string>>();
  opened.set(worker, handles);
  const handle = `device ${access} ${path}`;
  const open =
    handles.get(handle) ??
    once(async (until) => {
      await worker.call('handle.open', { handle, path, access }, { signal: until });
      return handle;
    });
  handles.set(handle, open);
  return open(signal);
}

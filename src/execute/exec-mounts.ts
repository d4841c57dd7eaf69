import { BuildError } from '../diagnostics/build-error.ts';
import type { ErrorCode } from '../diagnostics/codes.ts';
import type { CacheMountSpec, ExecSpec, MountSpec, SecretMountSpec, Spec, SshMountSpec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { SandboxMount } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';
import { contentOfSelection, wholeOf } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { allPacked, type Result, sourceOf } from './filesystem.ts';

/**
 * The mounts without the optional secrets and agents that nobody gave: they are silently absent, as in BuildKit. Throws SECRET_MISSING and
 * SSH_MISSING.
 */
export const givenMounts = (
  vertex: Vertex<Spec>,
  { mounts }: ExecSpec,
  { secrets, agents }: Pick<ExecuteContext, 'secrets' | 'agents'>,
): readonly MountSpec[] =>
  mounts.filter((mount) => {
    if (mount.type !== 'secret' && mount.type !== 'ssh') return true;
    if (mount.type === 'secret' ? secrets.has(mount.id) : agents.has(mount.id)) return true;
    if (!mount.required) return false;
    const { code, message, hint } = missing(mount);
    throw new BuildError(code, message, { range: vertex.origin, hint });
  });

/** What a RUN that failed went without: the optional secrets and agents that nobody gave. Undefined where there are none. */
export function absenceHint({ mounts }: ExecSpec, given: readonly MountSpec[]): string | undefined {
  const absent = mounts.flatMap((mount) =>
    (mount.type === 'secret' || mount.type === 'ssh') && !given.includes(mount) ? [missing(mount)] : [],
  );
  return absent.map(({ message, hint }) => `${message}: ${hint}`).join('; ') || undefined;
}

function missing({ type, id }: SecretMountSpec | SshMountSpec): { code: ErrorCode; message: string; hint: string } {
  if (type === 'secret') {
    const hint = `give it with --secret id=${id},src=FILE or --secret id=${id},env=NAME`;
    return { code: 'SECRET_MISSING', message: `the secret "${id}" was not given`, hint };
  }
  const hint = id === 'default' ? 'give yours with --ssh default' : `give one with --ssh ${id}=SOCKET, or a key with --ssh ${id}=KEYFILE`;
  return { code: 'SSH_MISSING', message: `no agent "${id}" was given`, hint };
}

/** Which secrets the program finds in its environment, by the name of the variable. */
export const secretEnvOf = (mounts: readonly MountSpec[]): Record<string, string> =>
  Object.fromEntries(mounts.flatMap((mount) => (mount.type === 'secret' && mount.env !== undefined ? [[mount.env, mount.id]] : [])));

/** The variables of optional secrets that nobody gave: they are there, and empty. Source: BuildKit, ops, `loadSecretEnv`. */
export const absentSecretEnv = ({ mounts }: ExecSpec, given: ReadonlySet<string>): readonly string[] =>
  mounts.flatMap((mount) => (mount.type === 'secret' && mount.env !== undefined && !given.has(mount.id) ? [`${mount.env}=`] : []));

/** Secrets and sockets lie over other mounts, wherever they stand in the RUN. Source: BuildKit, client/llb, `ExecOp.Marshal`. */
export async function sandboxMounts(
  mounts: readonly MountSpec[],
  inputs: readonly Result[],
  context: ExecuteContext,
  signal: AbortSignal,
): Promise<SandboxMount[]> {
  const order = { bind: 0, cache: 0, tmpfs: 0, secret: 1, ssh: 2 } as const;
  const sorted = mounts.toSorted((a, b) => order[a.type] - order[b.type]);
  const found = (await Promise.all(sorted.map((mount) => mountOf(mount, inputs, context, signal)))).flat();
  await context.bringMounts?.(found, signal);
  return found;
}

async function mountOf(mount: MountSpec, inputs: readonly Result[], context: ExecuteContext, signal: AbortSignal): Promise<SandboxMount[]> {
  switch (mount.type) {
    case 'bind': {
      const source = sourceOf(inputs[mount.input]);
      const what = source.kind === 'chain' ? { chain: source.chain } : { selection: wholeOf(source, mount.source) };
      return [{ type: 'bind', target: mount.target, readonly: !mount.writable, source: mount.source, ...what }];
    }
    case 'cache':
      return [await cacheMountOf(mount, inputs, context, signal)];
    case 'tmpfs':
      return [{ ...mount }];
    case 'secret': {
      const { type, target, id, uid, gid, mode } = mount;
      return target === undefined ? [] : [{ type, target, readonly: true, secret: id, uid, gid, mode }];
    }
    case 'ssh': {
      const { type, target, id, uid, gid, mode } = mount;
      return [{ type, target, readonly: false, agent: id, uid, gid, mode }];
    }
  }
}

/** Another beginning, and another owner of the root, is another cache. Source: BuildKit, `dispatchRunMounts`, `getRefCacheDir`. */
async function cacheMountOf(
  { type, target, id, sharing, readonly, source, owner, input }: CacheMountSpec,
  inputs: readonly Result[],
  context: ExecuteContext,
  signal: AbortSignal,
): Promise<SandboxMount> {
  const from = input === undefined ? undefined : inputs[input];
  if (from?.kind === 'filesystem') await allPacked(from);
  const seed = from && wholeOf(sourceOf(from), source);
  const content = seed && (await contentOfSelection(seed, context, signal));
  const variant = [...(content ? [content, source] : []), ...(owner ? [owner.uid, owner.gid, owner.mode] : [])];
  return {
    ...{ type, target, id, sharing, readonly, source },
    ...(variant.length > 0 && { variant: JSON.stringify(variant) }),
    ...(seed && { seed }),
    ...owner,
  };
}

/** Without a cache, caches of RUNs begin anew, as in BuildKit: all of these ids, before the first RUN begins. */
export async function discardCacheMounts(vertices: readonly Vertex<Spec>[], worker: Worker, signal: AbortSignal): Promise<void> {
  const mounts = vertices.flatMap(({ spec }) => (spec.kind === 'exec' ? spec.mounts : []));
  const ids = new Set(mounts.flatMap((mount) => (mount.type === 'cache' ? [mount.id] : [])));
  if (ids.size > 0) await worker.call('mount.discard', { ids: [...ids] }, { signal });
}

import { posix } from 'node:path';
import type { BindMountSpec, CacheMountSpec, MountSpec, SecretMountSpec, Spec, SshMountSpec, TmpfsMountSpec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { absolutePath, cleanPath, sourcePath } from './container-path.ts';
import type { FlagValue } from './flags.ts';
import { type MountFields, MountProblem, parseMount } from './mount-fields.ts';
import { workingDirectory } from './stage-state.ts';
import { expandAt, invalid, type Step } from './step.ts';

/** All `--mount` of one RUN. What they show is added to `inputs`. */
export function lowerMounts(step: Step, flags: readonly FlagValue[], inputs: Vertex<Spec>[]): MountSpec[] {
  const mounts = flags.map((flag) => lowerMount(step, flag, inputs));
  let sockets = 0;
  // Sockets are counted, the ones with a target too. Source: BuildKit, client/llb, `ExecOp.Marshal`.
  return mounts.map((mount) => (mount.type === 'ssh' ? withTarget(mount, sockets++) : mount));
}

function lowerMount(step: Step, flag: FlagValue, inputs: Vertex<Spec>[]): MountSpec {
  try {
    const fields = parseMount(flag.value, (value) => expandAt(step, value, flag.range));
    return lowerFields(step, fields, inputs);
  } catch (error) {
    throw error instanceof MountProblem ? invalid(step, error.message, { range: flag.range, hint: error.hint }) : error;
  }
}

function lowerFields(step: Step, fields: MountFields, inputs: Vertex<Spec>[]): MountSpec {
  switch (fields.type) {
    case 'bind':
      return bindMount(step, fields, inputs);
    case 'cache':
      return cacheMount(step, fields, inputs);
    case 'tmpfs':
      return tmpfsMount(step, fields);
    case 'secret':
      return secretMount(step, fields);
    case 'ssh':
      return sshMount(step, fields);
  }
}

function bindMount(step: Step, { from, source, readonly, target }: MountFields, inputs: Vertex<Spec>[]): BindMountSpec {
  const place = inputs.push(from ? step.source(from) : step.build.context) - 1;
  return { type: 'bind', target: targetOf(step, target), input: place, source: sourcePath(source ?? ''), writable: !readonly };
}

/** `owner` is set where any of uid, gid and mode is said, and nothing else decides what the cache begins with: then they are part of its name. */
function cacheMount(step: Step, fields: MountFields, inputs: Vertex<Spec>[]): CacheMountSpec {
  const { from, source, readonly, target, sharing = 'shared', uid, gid, mode } = fields;
  const place = sourcePath(source ?? '');
  const input = from && from !== 'scratch' ? inputs.push(step.source(from)) - 1 : undefined;
  const owned = place === '/' && (uid !== undefined || gid !== undefined || mode !== undefined);
  return {
    type: 'cache',
    target: targetOf(step, target),
    id: cacheID(step, fields),
    sharing,
    readonly,
    source: place,
    ...(input !== undefined && { input }),
    ...(owned && { owner: { uid: uid ?? 0, gid: gid ?? 0, mode: (mode ?? 0o755) & 0o7777 } }),
  };
}

/** The id, or the target as written, but clean; within the namespace that a build argument may give. */
function cacheID(step: Step, { id, target = '' }: MountFields): string {
  const namespace = step.build.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS') ?? '';
  return `${namespace}/${id || cleanPath(target)}`;
}

function tmpfsMount(step: Step, { target, size, readonly }: MountFields): TmpfsMountSpec {
  return { type: 'tmpfs', target: targetOf(step, target), readonly, ...(size && { size }) };
}

/** Source: BuildKit, `dispatchSecret`. */
function secretMount(step: Step, fields: MountFields): SecretMountSpec {
  const { id, source, target, env, required, uid = 0, gid = 0, mode = 0o400 } = fields;
  const name = source || id || posix.basename(target ?? '');
  const file = target || (env === undefined ? `/run/secrets/${posix.basename(name)}` : undefined);
  return {
    type: 'secret',
    id: name,
    ...(file && { target: targetOf(step, file) }),
    ...(env !== undefined && { env }),
    ...{ required, uid, gid, mode: mode & 0o777 },
  };
}

function sshMount(step: Step, { id, target = '', required, uid = 0, gid = 0, mode = 0o600 }: MountFields): SshMountSpec {
  const place = target && targetOf(step, target);
  return { type: 'ssh', id: id || 'default', target: place, required, uid, gid, mode: mode & 0o777 };
}

const withTarget = (mount: SshMountSpec, number: number): SshMountSpec =>
  mount.target ? mount : { ...mount, target: `/run/buildkit/ssh_agent.${number}` };

/** Absolute: relative to WORKDIR. */
const targetOf = (step: Step, target = ''): string => notRoot(absolutePath(workingDirectory(step.state), target));

function notRoot(target: string): string {
  if (target !== '/') return target;
  throw new MountProblem('nothing can be mounted over "/"', 'give the mount a "target"');
}

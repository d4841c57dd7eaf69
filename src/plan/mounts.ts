import { posix } from 'node:path';
import type { BindMountSpec, CacheMountSpec, MountSpec, SecretMountSpec, Spec, TmpfsMountSpec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { parseByteSize } from './byte-size.ts';
import { absolutePath, sourcePath } from './container-path.ts';
import type { FlagValue } from './flags.ts';
import { type MountFields, readMountFields } from './mount-fields.ts';
import { workingDirectory } from './stage-state.ts';
import { invalid, type Step, unsupported } from './step.ts';
import { didYouMean } from './suggestion.ts';

/** One `--mount`. A bind mount adds what it shows to `inputs`. */
export function lowerMount(step: Step, flag: FlagValue, inputs: Vertex<Spec>[]): MountSpec {
  const fields = readMountFields(step, flag);
  const type = (fields.get('type') ?? 'bind').toLowerCase();
  const reader = new MountReader(step, flag, fields, type);
  switch (type) {
    case 'bind':
      return bindMount(reader, inputs);
    case 'cache':
      return cacheMount(reader);
    case 'tmpfs':
      return tmpfsMount(reader);
    case 'secret':
      return secretMount(reader);
    case 'ssh':
      throw unsupported(step, 'mounts of type "ssh" are not built yet', {
        range: flag.range,
        hint: 'give a key or a token with "--secret"',
      });
    default:
      throw invalid(step, `"${type}" is not a type of mount`, {
        range: flag.range,
        hint: didYouMean(type, mountTypes) ?? `types are ${mountTypes.join(', ')}`,
      });
  }
}

const mountTypes: readonly string[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const sharingModes = ['shared', 'private', 'locked'] as const;

function bindMount(reader: MountReader, inputs: Vertex<Spec>[]): BindMountSpec {
  reader.allow('from', 'source', 'target', 'readonly', 'readwrite');
  const { step } = reader;
  const from = reader.text('from');
  const target = reader.target();
  const place = inputs.push(from ? step.source(from) : step.build.context) - 1;
  return { type: 'bind', target, input: place, source: sourcePath(reader.text('source') ?? ''), writable: reader.writable(false) };
}

function cacheMount(reader: MountReader): CacheMountSpec {
  reader.allow('id', 'from', 'source', 'target', 'readonly', 'readwrite', 'sharing', 'mode', 'uid', 'gid');
  const { step, flag } = reader;
  const from = reader.text('from');
  if ((from && from !== 'scratch') || sourcePath(reader.text('source') ?? '') !== '/') {
    throw unsupported(step, 'a cache mount that begins with files of something else is not built yet', { range: flag.range });
  }
  const sharing = reader.text('sharing')?.toLowerCase() ?? 'shared';
  const mode = sharingModes.find((name) => name === sharing);
  if (!mode) {
    throw invalid(step, `"${sharing}" is not a way of sharing`, {
      range: flag.range,
      hint: didYouMean(sharing, sharingModes) ?? `it is ${sharingModes.join(', ')}`,
    });
  }
  return {
    type: 'cache',
    target: reader.target(),
    id: cacheID(reader),
    sharing: mode,
    readonly: !reader.writable(true),
    uid: reader.number('uid', 10) ?? 0,
    gid: reader.number('gid', 10) ?? 0,
    mode: reader.number('mode', 8) ?? 0o755,
  };
}

/** The id, or the target as written, but clean; within the namespace that a build argument may give. */
function cacheID(reader: MountReader): string {
  const namespace = reader.step.build.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS');
  const written = reader.text('id') || posix.normalize(reader.text('target') ?? '');
  const id = written.length > 1 ? written.replace(/\/$/, '') : written;
  return namespace ? `${namespace}/${id}` : id;
}

function tmpfsMount(reader: MountReader): TmpfsMountSpec {
  reader.allow('target', 'size', 'readwrite');
  const target = reader.target();
  const written = reader.text('size');
  if (written === undefined) return { type: 'tmpfs', target };
  const size = parseByteSize(written);
  if (size === undefined) throw invalid(reader.step, `"${written}" is not a size`, { range: reader.flag.range, hint: 'as in 64m or 1g' });
  return { type: 'tmpfs', target, size };
}

function secretMount(reader: MountReader): SecretMountSpec {
  reader.allow('id', 'source', 'target', 'env', 'required', 'mode', 'uid', 'gid', 'readonly');
  const { step, flag } = reader;
  const [id, source, target, env] = [reader.text('id'), reader.text('source'), reader.text('target'), reader.text('env')];
  if (id && source) throw invalid(step, 'a secret mount has "id" or "source", not both', { range: flag.range });
  const name = source || id || (target && posix.basename(target)) || env;
  if (!name) throw invalid(step, 'a secret mount has no "id"', { range: flag.range, hint: 'as in --mount=type=secret,id=token' });
  const file = target || (env ? undefined : `/run/secrets/${posix.basename(name)}`);
  return {
    type: 'secret',
    id: name,
    ...(file && { target: absolutePath(workingDirectory(step.state), file) }),
    ...(env && { env }),
    required: reader.boolean('required') ?? false,
    uid: reader.number('uid', 10) ?? 0,
    gid: reader.number('gid', 10) ?? 0,
    mode: reader.number('mode', 8) ?? 0o400,
  };
}

/** Reads the fields of one mount, and knows where it stands. */
class MountReader {
  readonly step: Step;
  readonly flag: FlagValue;
  readonly #fields: MountFields;
  readonly #type: string;

  constructor(step: Step, flag: FlagValue, fields: MountFields, type: string) {
    this.step = step;
    this.flag = flag;
    this.#fields = fields;
    this.#type = type;
  }

  /** Throws for a field that this type of mount does not have. */
  allow(...names: readonly string[]): void {
    const other = [...this.#fields.keys()].find((name) => name !== 'type' && !names.includes(name));
    if (other) throw this.#invalid(`a mount of type "${this.#type}" has no field "${other}"`, `its fields are ${names.join(', ')}`);
  }

  text(name: string): string | undefined {
    return this.#fields.get(name);
  }

  /** Absolute: relative to WORKDIR; the root cannot be mounted over. */
  target(): string {
    const target = absolutePath(workingDirectory(this.step.state), this.text('target') ?? '');
    if (target === '/') throw this.#invalid('nothing can be mounted over "/"', 'give the mount a "target"');
    return target;
  }

  boolean(name: string): boolean | undefined {
    if (!this.#fields.has(name)) return undefined;
    const value = this.#fields.get(name) ?? 'true';
    // The words of Go's strconv.ParseBool.
    if (/^(?:1|t|true)$/i.test(value)) return true;
    if (/^(?:0|f|false)$/i.test(value)) return false;
    throw this.#invalid(`"${name}" is "true" or "false", not "${value}"`);
  }

  writable(unlessSaid: boolean): boolean {
    const [readonly, readwrite] = [this.boolean('readonly'), this.boolean('readwrite')];
    if (readonly !== undefined && readonly === readwrite) throw this.#invalid('a mount is "readonly" or "readwrite", not both');
    return readwrite ?? (readonly === undefined ? unlessSaid : !readonly);
  }

  number(name: string, base: 8 | 10): number | undefined {
    const value = this.#fields.get(name);
    if (value === undefined) return undefined;
    const number = (base === 8 ? /^[0-7]{1,7}$/ : /^\d{1,10}$/).test(value) ? Number.parseInt(value, base) : Number.NaN;
    if (number <= (base === 8 ? 0o7777 : 0xffffffff)) return number;
    throw this.#invalid(`"${value}" is not a valid "${name}"`, base === 8 ? 'it is octal, as in 0400' : undefined);
  }

  #invalid(message: string, hint?: string): Error {
    return invalid(this.step, message, { range: this.flag.range, hint });
  }
}

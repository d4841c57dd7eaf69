import { parseBoolean } from '../../grammar/boolean.ts';
import { parseCsvLine } from '../../grammar/csv.ts';
import { parseByteSize } from './byte-size.ts';
import { didYouMean } from './suggestion.ts';

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
export type CacheSharing = 'shared' | 'private' | 'locked';

/** What one `--mount` says, expanded. What was not said is undefined, but for `type` and `readonly`, which always have a value. */
export interface MountFields {
  readonly type: MountType;
  readonly readonly: boolean;
  readonly required: boolean;
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly id?: string;
  readonly sharing?: CacheSharing;
  /** Bytes. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly env?: string;
}

/** What is wrong with one `--mount`, for whoever knows where it stands. */
export class MountProblem extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

const mountTypes: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const sharingModes: readonly CacheSharing[] = ['shared', 'private', 'locked'];

type Reader = (value: string, key: string, type: MountType) => Partial<MountFields>;

const source: Reader = (value) => ({ source: value });
const target: Reader = (value) => ({ target: value });
const readonly: Reader = (value, key) => ({ readonly: booleanOf(value, key) });
const readwrite: Reader = (value, key) => ({ readonly: !booleanOf(value, key) });

/** What each field says. Source: BuildKit, instructions, `parseMount`. */
const readers: Readonly<Record<string, Reader>> = {
  type: (value) => ({ type: oneOf(value, mountTypes, 'is not a type of mount') }),
  from: (value) => ({ from: value }),
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly,
  ro: readonly,
  readwrite,
  rw: readwrite,
  id: (value) => ({ id: value }),
  sharing: (value) => ({ sharing: oneOf(value, sharingModes, 'is not a way of sharing') }),
  required: (value, key, type) => {
    allowFor(type, key, ['secret', 'ssh']);
    return { required: booleanOf(value, key) };
  },
  size: (value, key, type) => {
    allowFor(type, key, ['tmpfs']);
    return { size: sizeOf(value) };
  },
  mode: (value, key) => ({ mode: numberOf(value, key, 8) }),
  uid: (value, key) => ({ uid: numberOf(value, key, 10) }),
  gid: (value, key) => ({ gid: numberOf(value, key, 10) }),
  env: (value) => ({ env: value }),
};

/** Fields that may stand alone. */
const withoutValue: readonly string[] = ['readonly', 'ro', 'readwrite', 'rw', 'required'];

/**
 * Reads the value of `--mount`: comma-separated fields, their names in any case, their values expanded, but for `from`. The last of equal
 * fields counts. Throws a MountProblem, and what `expand` throws.
 */
export function parseMount(text: string, expand: (value: string) => string): MountFields {
  // In the order in which they stand, as some may only follow a certain type.
  let said: Partial<MountFields> = {};
  for (const field of fieldsOf(text)) said = { ...said, ...readField(field, said.type ?? 'bind', expand) };
  const { type = 'bind' } = said;
  const fields: MountFields = { type, readonly: type !== 'cache' && type !== 'tmpfs', required: false, ...said };
  checkTogether(fields);
  return fields;
}

function fieldsOf(text: string): readonly string[] {
  if (text === '') throw new MountProblem('a mount is empty', 'as in --mount=type=cache,target=/var/cache');
  const fields = parseCsvLine(text);
  if (!fields) throw new MountProblem(`"${text}" has a quote that is out of place`, 'quote a whole field: "target=/a,b"');
  return fields;
}

function readField(field: string, type: MountType, expand: (value: string) => string): Partial<MountFields> {
  const at = field.indexOf('=');
  const key = (at === -1 ? field : field.slice(0, at)).toLowerCase();
  const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
  if (!read) {
    const keys = Object.keys(readers);
    throw new MountProblem(`a mount has no field "${key}"`, didYouMean(key, keys) ?? `its fields are ${keys.join(', ')}`);
  }
  if (at !== -1) return read(key === 'from' ? fixed(field.slice(at + 1)) : expand(field.slice(at + 1)), key, type);
  if (!withoutValue.includes(key)) throw new MountProblem(`the field "${key}" has no value`, `it is written "${key}=<value>"`);
  return read('true', key, type);
}

/** A stage has to be known before any variable is. A dollar at the end is none. */
function fixed(from: string): string {
  if (!/\$./s.test(from)) return from;
  const hint = 'name a stage of that image instead: ARG before the first FROM, then FROM $IMAGE AS name';
  throw new MountProblem('variables are not expanded in "from"', hint);
}

function allowFor(type: MountType, key: string, types: readonly MountType[]): void {
  if (types.includes(type)) return;
  throw new MountProblem(
    `a mount of type "${type}" has no field "${key}"`,
    `"${key}" is for mounts of type ${types.join(' and ')}, and stands after the type`,
  );
}

function checkTogether(fields: MountFields): void {
  const { type } = fields;
  if (type === 'bind' || type === 'tmpfs') {
    const owner = (['mode', 'uid', 'gid'] as const).find((key) => fields[key] !== undefined);
    if (owner) throw new MountProblem(`a mount of type "${type}" has no field "${owner}"`);
  }
  if (fields.sharing !== undefined && type !== 'cache') throw new MountProblem(`a mount of type "${type}" has no field "sharing"`);
  if (type === 'secret') checkSecret(fields);
  if (type === 'ssh' && fields.source) throw new MountProblem('a mount of type "ssh" has no field "source"', 'its name is its "id"');
  if (type === 'secret' && fields.env === '')
    throw new MountProblem('the field "env" of a secret is empty', 'it is the name of a variable');
}

function checkSecret({ from, source, target, id }: MountFields): void {
  if (from) throw new MountProblem('a mount of type "secret" has no field "from"');
  if (!source && !target && !id) throw new MountProblem('a secret mount has no "id"', 'as in --mount=type=secret,id=token');
  if (source && id) throw new MountProblem('a secret mount has "id" or "source", not both');
}

function oneOf<T extends string>(value: string, known: readonly T[], what: string): T {
  const word = value.toLowerCase();
  const found = known.find((each) => each === word);
  if (found) return found;
  throw new MountProblem(`"${value}" ${what}`, didYouMean(value, known) ?? `it is ${known.join(', ')}`);
}

function booleanOf(value: string, key: string): boolean {
  const known = parseBoolean(value);
  if (known !== undefined) return known;
  throw new MountProblem(`"${key}" is "true" or "false", not "${value}"`);
}

function numberOf(value: string, key: string, base: 8 | 10): number {
  const number = (base === 8 ? /^[0-7]+$/ : /^\d+$/).test(value) ? Number.parseInt(value, base) : Number.NaN;
  if (number <= 0xffffffff) return number;
  throw new MountProblem(`"${value}" is not a valid "${key}"`, base === 8 ? 'it is octal, as in 0400' : undefined);
}

function sizeOf(value: string): number {
  const size = parseByteSize(value);
  if (size !== undefined) return size;
  throw new MountProblem(`"${value}" is not a size`, 'as in 64m or 1g');
}

/** The `from` of a `--mount`, read before the stage is lowered: it says which stages and images are needed, whatever the type is. */
export function mountSourceName(value: string): string | undefined {
  const fields = (parseCsvLine(value) ?? []).map((field) => field.split(/=(.*)/s, 2));
  return fields.findLast(([name]) => name?.toLowerCase() === 'from')?.[1] || undefined;
}

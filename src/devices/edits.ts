import { BuildError } from '../diagnostics/build-error.ts';

// What a specification of the Container Device Interface asks for, read with care. Only what can be given is taken: a program of the host
// that is to run (a hook), an interface of its network or a class of its cache is refused by name.

/** A node of a device in the container. */
export interface DeviceNode {
  /** In the container, absolute. */
  readonly path: string;
  readonly hostPath: string;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Nobody said whose it is: as CDI has it, the user's of the container, where he is not root. */
  readonly ofUser?: boolean;
}

export interface DeviceMount {
  readonly hostPath: string;
  readonly path: string;
  readonly readonly: boolean;
}

/** What becomes of a container that gets a device. */
export interface Edits {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly nodes: readonly DeviceNode[];
  readonly mounts: readonly DeviceMount[];
  /** What is asked for besides, and cannot be given. */
  readonly refused: readonly string[];
}

export type Json = Readonly<Record<string, unknown>>;

const refusedFields: Readonly<Record<string, string>> = {
  hooks: 'programs of the host that are to run',
  netDevices: 'network interfaces of the host',
  intelRdt: 'a class of the processor cache',
  additionalGids: 'groups for the program',
};
const mountOptions = ['ro', 'rw', 'bind', 'rbind', 'nosuid', 'nodev', 'noexec', 'private', 'rprivate', 'slave', 'rslave'];
const none: Edits = { env: [], nodes: [], mounts: [], refused: [] };

/** Reads `containerEdits`; throws TypeError for what is not of its form. */
export function readEdits(value: unknown): Edits {
  if (value === undefined || value === null) return none;
  const edits = objectOf(value);
  const refused = Object.entries(refusedFields).filter(([name]) => !isEmpty(edits[name]));
  return {
    env: listOf(edits.env).map(variable),
    nodes: listOf(edits.deviceNodes).map((node) => readNode(objectOf(node))),
    mounts: listOf(edits.mounts).map((mount) => readMount(objectOf(mount))),
    refused: refused.map(([, what]) => what),
  };
}

export const joinEdits = (all: readonly Edits[]): Edits => ({
  env: all.flatMap(({ env }) => env),
  nodes: all.flatMap(({ nodes }) => nodes),
  mounts: all.flatMap(({ mounts }) => mounts),
  refused: all.flatMap(({ refused }) => refused),
});

function variable(value: unknown): string {
  const text = textOf(value);
  if (text.indexOf('=') <= 0) throw new TypeError(`"${text}" is no variable`);
  return text;
}

function readNode(node: Json): DeviceNode {
  const path = pathOf(node.path);
  const permissions = optional(node.permissions, textOf) ?? 'rwm';
  checkPermissions(permissions, path);
  const type = optional(node.type, textOf);
  if (type === 'p') throw new TypeError(`"${path}" is a pipe`);
  const numbers = { major: node.major, minor: node.minor, mode: node.fileMode, uid: node.uid, gid: node.gid };
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined && value !== null);
  return {
    path,
    hostPath: optional(node.hostPath, pathOf) ?? path,
    ...(type && { type }),
    ...(!given.some(([name]) => name === 'uid' || name === 'gid') && { ofUser: true }),
    ...Object.fromEntries(given.map(([name, value]) => [name, numberOf(value)])),
  };
}

/** Less than both would need a guard of devices, which may not be there. */
export function checkPermissions(permissions: string, path: string): void {
  if (/^(?=.*r)(?=.*w)[rwm]{2,3}$/.test(permissions)) return;
  throw new BuildError('UNSUPPORTED', `the device "${path}" cannot be given with the permissions "${permissions}" only`, {
    hint: 'it can be read and written, or not given: rw or rwm',
  });
}

function readMount(mount: Json): DeviceMount {
  const path = pathOf(mount.containerPath);
  const type = optional(mount.type, textOf) || 'bind';
  const options = listOf(mount.options).map(textOf);
  const unknown = options.find((option) => !mountOptions.includes(option));
  if (type !== 'bind' || unknown !== undefined)
    throw new TypeError(`the mount at "${path}" has ${unknown ? `the option "${unknown}"` : `the type "${type}"`}`);
  return { hostPath: pathOf(mount.hostPath), path, readonly: options.includes('ro') };
}

export function objectOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${JSON.stringify(value)} is no object`);
  return value as Json;
}

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError(`${JSON.stringify(value)} is no list`);
  return value;
}

export function textOf(value: unknown): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new TypeError(`${JSON.stringify(value)} is no text`);
  return value;
}

function pathOf(value: unknown): string {
  const path = textOf(value);
  if (!path.startsWith('/')) throw new TypeError(`"${path}" is no absolute path`);
  return path;
}

function numberOf(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > 0xffff_fffe)
    throw new TypeError(`${JSON.stringify(value)} is no number`);
  return value as number;
}

const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined || value === null || value === '' ? undefined : read(value);

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every((each) => each === 0));

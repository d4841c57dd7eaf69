import type { ContainerConfig } from '../oci/image-config.ts';

/** The PATH of an image whose base has none. Source: BuildKit, util/system, `DefaultPathEnvUnix`. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What is taken over from a base image: fields that we do not know are left behind, as BuildKit does. */
export function baseConfig(config: ContainerConfig | null = {}): ContainerConfig {
  const known = keysInOrder.filter((key) => (config?.[key] ?? undefined) !== undefined);
  return Object.fromEntries(known.map((key) => [key, config?.[key]]));
}

/** The variables of `Env`, in order. Where a name stands twice the last value counts. */
export function environmentOf({ Env = [] }: ContainerConfig): Map<string, string> {
  return new Map(Env.map(splitVariable));
}

/** `Env` with a variable set: in its old place, or at the end. */
export function setVariable(config: ContainerConfig, name: string, value: string): ContainerConfig {
  const env = [...(config.Env ?? [])];
  const at = env.findIndex((variable) => variable === name || variable.startsWith(`${name}=`));
  env.splice(at === -1 ? env.length : at, 1, `${name}=${value}`);
  return { ...config, Env: env };
}

/** The config as it is written: labels of the command line win, names are sorted, empty fields left out (Go's `omitempty`). */
export function finishedConfig(config: ContainerConfig, labels: Readonly<Record<string, string>> = {}): ContainerConfig {
  const all: ContainerConfig = { ...config, Labels: { ...config.Labels, ...labels } };
  return Object.fromEntries(keysInOrder.flatMap((key) => (isEmpty(all[key]) ? [] : [[key, sortedNames(all[key])]])));
}

/** As Go's encoder writes them, so that equal configs have equal bytes. */
const keysInOrder = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const satisfies readonly (keyof ContainerConfig)[];

function splitVariable(variable: string): [string, string] {
  const at = variable.indexOf('=');
  return at === -1 ? [variable, ''] : [variable.slice(0, at), variable.slice(at + 1)];
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Healthcheck's fields have an order of their own, the other objects are maps: Go sorts the names of those by their bytes. */
function sortedNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'Test' in value) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}

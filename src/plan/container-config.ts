import { type ContainerConfig, containerConfigKeys } from '../oci/image-config.ts';
import { Environment } from './environment.ts';

/** The PATH of an image whose base has none. Source: BuildKit, util/system, `DefaultPathEnvUnix`. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Named = 'Env' | 'Labels' | 'ExposedPorts' | 'Volumes';

/** The fields that an instruction replaces as a whole. */
export type PlainConfig = Omit<ContainerConfig, Named>;

/** The fields that instructions add names to, one by one: a long file does not copy them for each. */
export interface NamedConfig {
  /** ENV. */
  readonly env: Environment;
  readonly labels: Map<string, string>;
  readonly ports: Set<string>;
  readonly volumes: Set<string>;
}

/** A base image's config in two parts: fields that we do not know, and ONBUILD, are left behind, as BuildKit does. */
export function splitConfig(config: ContainerConfig | null = {}): { plain: PlainConfig; named: NamedConfig } {
  const { Env, Labels, ExposedPorts, Volumes, ...rest } = config ?? {};
  const known = plainKeys.filter((key) => key !== 'OnBuild' && (rest[key] ?? undefined) !== undefined);
  const named: NamedConfig = {
    env: new Environment(Env ?? []),
    labels: new Map(Object.entries(Labels ?? {})),
    ports: new Set(Object.keys(ExposedPorts ?? {})),
    volumes: new Set(Object.keys(Volumes ?? {})),
  };
  return { plain: Object.fromEntries(known.map((key) => [key, rest[key]])), named };
}

export const copyNames = ({ env, labels, ports, volumes }: NamedConfig): NamedConfig => ({
  env: new Environment(env.variables),
  labels: new Map(labels),
  ports: new Set(ports),
  volumes: new Set(volumes),
});

/**
 * The config as it is written: labels of the command line win; names and fields are in the order in which Go's encoder writes them, so that
 * equal configs have equal bytes; empty fields are left out (`omitempty`).
 */
export function finishedConfig(plain: PlainConfig, named: NamedConfig, labels: Readonly<Record<string, string>> = {}): ContainerConfig {
  const all: ContainerConfig = {
    ...plain,
    Env: named.env.variables,
    Labels: sorted([...named.labels, ...Object.entries(labels)]),
    ExposedPorts: sorted([...named.ports].map((port) => [port, {}])),
    Volumes: sorted([...named.volumes].map((path) => [path, {}])),
  };
  return Object.fromEntries(containerConfigKeys.flatMap((key) => (isEmpty(all[key]) ? [] : [[key, all[key]]])));
}

const plainKeys = [
  'User',
  'Entrypoint',
  'Cmd',
  'WorkingDir',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const satisfies readonly (keyof PlainConfig)[];

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** By the bytes of the names; of two equal names the last counts. */
function sorted<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  const byName = [...new Map(entries)].map(([name, value]) => ({ name, value, bytes: Buffer.from(name) }));
  return Object.fromEntries(byName.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ name, value }) => [name, value]));
}

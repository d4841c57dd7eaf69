import { posix } from 'node:path';
import type { CertificatesOption, ResourceOptions, SecurityOptions } from './build-options.ts';
import { certificatesOf } from './certificates.ts';
import { type Edits, joinEdits } from './devices/edits.ts';
import { DeviceRegistry } from './devices/registry.ts';
import { BuildError } from './diagnostics/build-error.ts';
import { giveDevices } from './execute/exec-devices.ts';
import { chainOf, Layer, scratch, stack } from './execute/filesystem.ts';
import { LayerProvider } from './execute/layer-provider.ts';
import { memoryOf } from './execute/run-error.ts';
import type { NetworkMode } from './graph/spec.ts';
import { keptConfinement } from './kept-confinement.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { ContainerConfig } from './oci/image-config.ts';
import { hostPlatform } from './oci/platform.ts';
import { openSecurity } from './open-security.ts';
import { openSession } from './session.ts';
import { findImage } from './store/find-image.ts';
import type { Store } from './store/store.ts';
import { layersOf, readStoredImage } from './store/stored-image.ts';
import type { PublishedPort, SandboxMount, SandboxParams, SandboxSecurity, TerminalSize, UserNamespace } from './worker/protocol.ts';
import type { Worker } from './worker/worker.ts';

/** A container from an image, in the foreground. Host paths are absolute. */
export interface RunOptions {
  readonly root: string;
  readonly image: string;
  /** Takes the place of the image's CMD; empty: CMD. */
  readonly argv: readonly string[];
  /** Takes the place of the image's ENTRYPOINT, and drops its CMD; an empty string: no entrypoint. */
  readonly entrypoint?: string;
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly volumes: readonly { readonly host: string; readonly target: string; readonly readonly: boolean }[];
  readonly workdir?: string;
  readonly user?: string;
  /** The host's port 0 is one of the kernel's choice, told by `onPublished`. */
  readonly ports: readonly PublishedPort[];
  /** `at`: `127.0.0.1:49152`. */
  readonly onPublished?: (port: { readonly port: number; readonly protocol: 'tcp' | 'udp'; readonly at: string }) => void;
  readonly network: NetworkMode;
  /** Authorities that the program trusts besides the image's. */
  readonly certificates?: CertificatesOption;
  readonly hostname?: string;
  readonly security?: SecurityOptions;
  readonly devices?: readonly DeviceArgument[];
  /** Where devices are described (CDI). */
  readonly cdiDirectories?: readonly string[];
  /** The whole bounding set, as `CAP_CHOWN`, with `ALL` those that there are; Docker's default set without it. */
  readonly capabilities?: readonly string[];
  readonly resources?: ResourceOptions;
  readonly userns?: UserNamespace | undefined;
  /** Caller's environment for the registry, where the image has to be pulled. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The program may write more when the promise is fulfilled. */
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void | Promise<void>;
  readonly onWarning: (message: string) => void;
  /** Standard input; without it the program has none. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** The program has a terminal of this size; what it writes comes as stdout. */
  readonly tty?: TerminalSize;
  /** Other sizes of the terminal; the first one is asked for when the program runs. */
  readonly sizes?: AsyncIterable<TerminalSize>;
  /** Signal numbers to pass on to the program. */
  readonly signals?: AsyncIterable<number>;
}

/** A device of the host: by its path, or the full name that its description has. */
export type DeviceArgument = { readonly hostPath: string; readonly path: string } | { readonly name: string };

/** Runs it and waits for its end. The container, its writes and its anonymous volumes are gone then. */
export async function runContainer(options: RunOptions, signal: AbortSignal): Promise<{ exitCode: number; signal?: number }> {
  const walls = await openSecurity(options.security ?? {});
  const kept = await keptConfinement(options.security ?? {});
  if (kept !== undefined) options.onWarning(kept);
  await using session = await openSession(options.root, signal, { userns: options.userns });
  const { worker } = session;
  const image = await readStoredImage(session.store, await locate(session.store, options, signal));
  const { config } = image;
  const layers = layersOf(image);
  const provider = new LayerProvider(session.store, worker);
  provider.addForeign({ layers, fetch: async () => {} });
  const root = chainOf(stack(scratch, ...layers.map(({ diffID }) => new Layer(diffID))));
  await provider.ensureSnapshots(root, signal);
  const certificates = await certificatesOf(options);
  const edits = editsOf(options);
  const given = await giveDevices(edits, worker, signal);
  const mounts = [...(await mountsOf(options, config.config ?? {}, worker)), ...given.mounts];
  const { devices } = given;
  const usual = paramsOf(options, config.config ?? {});
  const env = mergeEnv(usual.env, edits.env);
  const walled = { ...security(walls, options), ...(certificates && { certificates }) };
  const params = { ...usual, env, root, mounts, ...(devices.length > 0 && { devices }), ...walled };
  let stream = 0;
  const result = await worker.call('sandbox.run', params, {
    signal,
    onData: (payload) => options.onOutput(payload[0] === 2 ? 'stderr' : 'stdout', payload.subarray(1)),
    onEvent: (event) => {
      if (event.type === 'warning') options.onWarning(event.message);
      if (event.type === 'published') options.onPublished?.(event);
      if (event.type === 'started') void forwardSizes(worker, stream, options.sizes);
    },
    onStream: (given) => {
      stream = given;
      void forwardSignals(worker, stream, options.signals);
    },
    ...(options.input && { input: options.input }),
  });
  if (result.oom) options.onWarning(`the container ran out of memory: ${memoryOf(result, options.resources?.limits)}`);
  return { exitCode: result.exitCode, ...(result.signal !== undefined && { signal: result.signal }) };
}

/** The image in the store; as `docker run` does, one that is not there is pulled. */
async function locate(store: Store, { image, environment = {} }: RunOptions, signal: AbortSignal): Promise<Descriptor> {
  try {
    return (await findImage(store, image)).descriptor;
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'IMAGE_NOT_FOUND' || /^(sha256:)?[0-9a-f]{12,64}$/.test(image)) throw error;
    // Loaded only here: most containers are run from what is in the store.
    const [{ pullImage }, { Registry }] = await Promise.all([import('./pull.ts'), import('./registry/registry.ts')]);
    await using cleanup = new AsyncDisposableStack();
    const registry = new Registry({ environment });
    cleanup.defer(() => registry.close());
    return (await pullImage(image, hostPlatform(), { store, registry }, signal)).descriptor;
  }
}

/** What is not a matter of files. Source: Docker's `run`: arguments replace CMD, --entrypoint drops it. */
function paramsOf(options: RunOptions, config: ContainerConfig): Omit<SandboxParams, 'root' | 'mounts'> {
  const entrypoint = options.entrypoint === undefined ? (config.Entrypoint ?? []) : options.entrypoint ? [options.entrypoint] : [];
  const command = options.argv.length > 0 || options.entrypoint !== undefined ? options.argv : (config.Cmd ?? []);
  const argv = [...entrypoint, ...command];
  if (argv.length === 0) {
    throw new BuildError('ARG_INVALID', `"${options.image}" has neither ENTRYPOINT nor CMD`, { hint: 'say what to run after the image' });
  }
  return {
    argv,
    env: mergeEnv([defaultPath, ...(config.Env ?? [])], options.env),
    // Docker writes an empty string where there is none.
    cwd: options.workdir || config.WorkingDir || '/',
    user: options.user ?? config.User ?? '',
    network: options.network,
    hostname: options.hostname ?? 'cooper',
    ports: options.ports,
    commit: false,
    stdin: options.input !== undefined,
    ...(options.tty && { tty: options.tty }),
    ...options.resources,
  };
}

/** Those that are named come with what their description says. */
function editsOf({ devices = [], cdiDirectories }: RunOptions): Edits {
  const registry = new DeviceRegistry(cdiDirectories);
  const nodes = devices.flatMap((device) => ('path' in device ? [device] : []));
  const described = registry.edits(devices.flatMap((device) => ('name' in device ? [device.name] : [])));
  return joinEdits([{ env: [], nodes, mounts: [], refused: [] }, described]);
}

function security(walls: SandboxSecurity | undefined, { capabilities }: RunOptions): Pick<SandboxParams, 'security'> {
  return walls || capabilities ? { security: { ...walls, ...(capabilities && { capabilities }) } } : {};
}

/** For images that say nothing of it. Source: moby, oci/defaults.go, `DefaultPathEnv`. */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The image's variables, with the caller's in their place or behind them. */
function mergeEnv(image: readonly string[], own: readonly string[]): string[] {
  const merged = new Map([...image, ...own].map((each) => [each.split('=', 1)[0] ?? each, each]));
  return [...merged.values()];
}

async function mountsOf(options: RunOptions, config: ContainerConfig, worker: Worker): Promise<SandboxMount[]> {
  const binds = await Promise.all(
    options.volumes.map(async ({ host, target, readonly }, index): Promise<SandboxMount> => {
      const handle = `volume ${index}`;
      await worker.call('handle.open', { handle, path: host, access: readonly ? 'read' : 'write' });
      return { type: 'bind', target, readonly, handle, source: '/' };
    }),
  );
  const bound = new Set(options.volumes.map(({ target }) => posix.resolve('/', target)));
  // Each container has volumes of its own for what the image declares, filled with what the image has there.
  const anonymous = Object.keys(config.Volumes ?? {})
    .filter((target) => !bound.has(posix.resolve('/', target)))
    .map((target): SandboxMount => ({ type: 'volume', target, readonly: false }));
  return [...anonymous, ...binds];
}

async function forwardSizes(worker: Worker, stream: number, sizes: AsyncIterable<TerminalSize> | undefined): Promise<void> {
  for await (const size of sizes ?? []) {
    // As with signals: the program may have ended.
    await worker.call('sandbox.resize', { stream, ...size }).catch(() => {});
  }
}

async function forwardSignals(worker: Worker, stream: number, signals: AsyncIterable<number> | undefined): Promise<void> {
  for await (const signal of signals ?? []) {
    // The program may have ended in the meantime; the run's own result tells that.
    await worker.call('sandbox.signal', { stream, signal }).catch(() => {});
  }
}

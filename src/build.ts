import type { Duplex } from 'node:stream';
import type { Dockerfile } from '../grammar/ast.ts';
import { parseDockerfile } from '../grammar/parse.ts';
import { BaseImages } from './base-images.ts';
import { BuildCaches, checkCaches } from './build-caches.ts';
import type { BuildOptions } from './build-options.ts';
import { certificatesOf } from './certificates.ts';
import { grantDevices } from './devices/grant.ts';
import { DeviceRegistry } from './devices/registry.ts';
import { BuildError } from './diagnostics/build-error.ts';
import { throwOnErrors } from './diagnostics/dockerfile-error.ts';
import { EventQueue } from './event-queue.ts';
import { type ExecuteOptions, executeGraph } from './execute/execute-graph.ts';
import type { RemoteSources } from './execute/remote-sources.ts';
import { sourceTime } from './execute/source-time.ts';
import { digestsOf, giveSecrets, searchDigests } from './give-secrets.ts';
import { keptConfinement } from './kept-confinement.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { layoutsOf, type OpenedContext, openContext, openNamedContexts } from './open-contexts.ts';
import { openSecurity } from './open-security.ts';
import { plan } from './plan/index.ts';
import { createLinter } from './plan/lint/index.ts';
import type { Linter, LintWarning } from './plan/lint/linter.ts';
import type { NamedContexts } from './plan/named-contexts.ts';
import type { Plan } from './plan/plan.ts';
import type { BuildEvent } from './progress/events.ts';
import { imageNames, publishImage, wantedParts } from './publish-image.ts';
import { Registry } from './registry/registry.ts';
import type { TransferEvent } from './registry/transfer.ts';
import { withCommitTime } from './reproducible.ts';
import { refuseSecret, searchArguments, searchPlan } from './search-plan.ts';
import { SecretGuard, type SecretPatterns } from './secret/guard.ts';
import { annotationsOf, storeImage } from './store-image.ts';
import { taskOfTransfer } from './transfer-events.ts';
import { type Tools, Workbench } from './workbench.ts';

/** What a build gave. `digest` is that of the manifest: the one that a push has. */
export interface BuildResult {
  readonly digest: Digest;
  readonly configDigest: Digest;
  readonly descriptor: Descriptor;
  /** Full references. */
  readonly tags: readonly string[];
}

/** A build that runs: its events while it does, and its result. Both end with the first failure. */
export interface Build extends AsyncIterable<BuildEvent> {
  /** Rejects with a BuildError for what the user can mend. */
  readonly result: Promise<BuildResult>;
}

/** Builds one image: `for await (const event of build(options))`, then `await result`. */
export function build({ signal = new AbortController().signal, ...options }: BuildOptions & { readonly signal?: AbortSignal }): Build {
  const events = new EventQueue<BuildEvent>();
  const guard = new SecretGuard();
  const emit = (event: BuildEvent) => events.push(guard.maskEvent(event));
  const result = buildImage(options, { emit, keptUp: () => events.keptUp(), guard }, signal)
    .catch((error) => {
      // Whatever an abort breaks on its way is not the reason for the end.
      const reason = guard.maskError(signal.aborted ? new BuildError('CANCELLED', 'the build was interrupted', { cause: error }) : error);
      emit(failed(reason));
      throw reason;
    })
    .finally(() => events.end());
  // Who only reads the events learns of a failure by them.
  result.catch(() => {});
  return { result, [Symbol.asyncIterator]: () => events[Symbol.asyncIterator]() };
}

/** The last event of a build that failed: all that its error says. */
function failed(reason: unknown): BuildEvent {
  const time = Date.now();
  if (!(reason instanceof BuildError))
    return { type: 'build.failed', time, code: 'INTERNAL', message: reason instanceof Error ? reason.message : String(reason) };
  const { code, message, range, hint, notes } = reason;
  return {
    type: 'build.failed',
    time,
    code,
    message,
    ...(range && { range }),
    ...(hint !== undefined && { hint }),
    ...(notes.length > 0 && { notes }),
  };
}

/** What each option allows and all together do not. */
function checkTogether({ noCache, noCacheFilter = [], security, allow = [] }: BuildOptions): void {
  if (security?.systemPaths && !allow.includes('security.insecure')) {
    // As root they are the machine's own settings, and a way out.
    throw new BuildError('ARG_INVALID', '"--security-opt systempaths=unconfined" opens settings of the machine to every RUN', {
      hint: 'if you trust this Dockerfile, add "--allow security.insecure"',
    });
  }
  if (!noCache || noCacheFilter.length === 0) return;
  throw new BuildError('ARG_INVALID', '"--no-cache" runs every stage again, and "--no-cache-filter" only some', {
    hint: 'use one of them',
  });
}

function lintEvent({ rule: { name, description, url }, message, range }: LintWarning): BuildEvent {
  return { type: 'warning', time: Date.now(), code: name, message, range, rule: name, description, ...(url && { url }) };
}

/** Who reads the events of a build. */
type Reader = Pick<ExecuteOptions, 'emit' | 'keptUp'>;

/** A reader, and what keeps secrets from him. */
interface GuardedReader extends Reader {
  readonly guard: SecretGuard;
}

/** The table of contents: read, plan, run, store, publish. */
async function buildImage(options: BuildOptions, reader: GuardedReader, signal: AbortSignal): Promise<BuildResult> {
  const { emit, keptUp, guard } = reader;
  emit({ type: 'build.started', time: Date.now(), target: options.target ?? '' });
  // First of all: nobody wants to wait for a build whose result has no place to go.
  const names = imageNames(options);
  // The worker starts while the Dockerfile is read.
  await using cleanup = new AsyncDisposableStack();
  const bench = cleanup.use(new Workbench(options, signal, guard));
  void bench.tools().catch(() => {});

  // Nothing is told before it is known what must not be.
  if (options.secrets?.length) await bench.tools();
  searchArguments({ ...options, names }, guard);
  checkTogether(options);
  checkCaches(options);
  const security = await openWalls(options, emit);
  const opened = await loadContext(options, bench, emit, signal);
  const read = parse(opened, options, emit);
  const directories = new Map(opened.directories);
  const ignored = new Map(opened.ignored);
  const namedContexts = await openNamedContexts(options.contexts ?? {}, { directories, ignored });

  const tools = await bench.tools();
  const { worker, store, layers, remote } = tools;
  const registry = new Registry({ environment: guard.withoutSecrets(options.environment ?? {}) });
  cleanup.defer(() => registry.close());
  const onTransfer = (event: TransferEvent) => emit(taskOfTransfer('pull', event));
  const layouts = layoutsOf(namedContexts);
  const bases = new BaseImages(layers, { store, registry, pull: options.pull ?? false, onTransfer, layouts });
  const devices = new DeviceRegistry(options.cdiDirectories);
  const planned = await makePlan(read, { options, opened, directories, namedContexts, bases, devices, remote, reader }, signal);

  const annotations = annotationsOf(options.annotations ?? [], planned.platform);
  for (const [handle, path] of directories) await worker.call('handle.open', { handle, path, access: 'read' }, { signal });
  // From here on what is made may become a part of an image.
  const secretDigests = await searchForSecrets(tools, options, emit, signal);
  const noCache: ExecuteOptions['noCache'] = ({ digest }) => options.noCache === true || planned.noCache.has(digest);
  const caches = cleanup.use(new BuildCaches(options, { worker, registry, emit, vertices: planned.vertices, noCache }));
  const execution: ExecuteOptions = {
    ...{ worker, store, layers, remote, ignored, security, secretDigests, noCache, emit, keptUp },
    ...caches.forSteps,
    secrets: new Set(tools.secrets.keys()),
    agents: await agentsOf(options),
    certificates: await certificatesOf(options),
    devices: (names) => devices.edits(names),
    resources: options.resources ?? {},
    wanted: wantedParts(options),
  };
  const make = async () => {
    const graph = await executeGraph(planned, execution, signal);
    const image = await storeImage(planned, graph, { store, layers, annotations, guard }, signal);
    await publishImage(image, graph, { worker, store, registry, options, names, emit }, signal);
    return image;
  };
  const { descriptor, configDigest } = await caches.exportAfter(make, signal);
  const { digest } = descriptor;
  emit({ type: 'build.completed', time: Date.now(), digest, configDigest, tags: names });
  return { digest, configDigest, descriptor, tags: names };
}

/** The walls of every RUN; warns of those that stay although they are not asked for. */
async function openWalls({ security = {} }: BuildOptions, emit: Reader['emit']): Promise<ExecuteOptions['security']> {
  const walls = await openSecurity(security);
  const kept = await keptConfinement(security);
  if (kept !== undefined) emit({ type: 'warning', time: Date.now(), message: kept });
  return walls;
}

/** What a plan is made with, besides the Dockerfile. */
interface Planning {
  readonly options: BuildOptions;
  readonly opened: OpenedContext;
  /** Those of the host, by their handles. */
  readonly directories: ReadonlyMap<string, string>;
  readonly namedContexts: NamedContexts;
  readonly bases: BaseImages;
  readonly devices: DeviceRegistry;
  readonly remote: RemoteSources;
  readonly reader: GuardedReader;
}

/** The plan, without secrets, and told. */
async function makePlan({ dockerfile, linter }: ReadDockerfile, planning: Planning, signal: AbortSignal): Promise<Plan> {
  const { options, opened, directories, namedContexts, bases, devices, remote } = planning;
  const { emit, guard } = planning.reader;
  const { source, vertex: mainContext, origin } = opened;
  const warn = (message: string) => emit({ type: 'warning', time: Date.now(), message });
  const context = { spec: origin ?? mainContext.spec, directory: directories.get('context') };
  const planned = await plan(
    dockerfile,
    source,
    {
      ...(await withCommitTime(options, context, signal)),
      hosts: options.addHosts ?? [],
      grantDevices: (asked) => grantDevices(asked, { registry: devices, allow: options.allow ?? [], warn }),
      mainContext,
      ...(origin && { contextOrigin: origin }),
      namedContexts,
      sourceTime: (remoteSource, stop) => sourceTime(remote, remoteSource, stop),
      linter,
      onHistory: (createdBy, range) => refuseSecret(guard, createdBy, 'this instruction', range),
    },
    bases,
    signal,
  );
  searchPlan(planned, guard);
  tellPlan(planned, emit);
  return planned;
}

/** No layer that is made from now on may hold a secret. Gives the digests of those that say "invalidate". */
async function searchForSecrets(
  { secrets, layers, worker, store }: Tools,
  { secrets: options = [] }: BuildOptions,
  emit: Reader['emit'],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Digest>> {
  const patterns = await giveSecrets(secrets, options, worker, { scan: true }, signal);
  warnOfShortSecrets(patterns, emit);
  layers.searchFor(await searchDigests(secrets, patterns, store));
  return digestsOf(secrets, options, store);
}

interface ReadDockerfile {
  readonly dockerfile: Dockerfile;
  readonly linter: Linter;
}

/** The Dockerfile without errors, and the linter that has seen its text. */
function parse({ source, ignored }: OpenedContext, options: BuildOptions, emit: Reader['emit']): ReadDockerfile {
  const dockerfile = parseDockerfile(source.text);
  const warn = (warning: LintWarning) => emit(lintEvent(warning));
  const linter = createLinter(dockerfile, { source, buildArgs: options.buildArgs, ignored: ignored.get('context')?.rules, warn });
  linter.readText(dockerfile);
  throwOnErrors(dockerfile.diagnostics, source);
  return { dockerfile, linter };
}

function tellPlan({ warnings, vertices }: Plan, emit: Reader['emit']): void {
  for (const { code, message } of warnings) emit({ type: 'warning', time: Date.now(), code, message });
  emit({
    type: 'plan',
    time: Date.now(),
    vertices: vertices.map(({ digest, name, inputs }) => ({ vertex: digest, name, inputs: inputs.map((input) => input.digest) })),
  });
}

/** Loaded only where there are any: few builds have an agent. */
async function agentsOf({ ssh = [] }: BuildOptions): Promise<ReadonlyMap<string, () => Duplex>> {
  return ssh.length === 0 ? new Map() : (await import('./ssh/sources.ts')).openAgents(ssh);
}

/** Opens the context. What comes from elsewhere may take its time, so it is told of. */
async function loadContext(options: BuildOptions, bench: Workbench, emit: Reader['emit'], signal: AbortSignal): Promise<OpenedContext> {
  const id = 'build context';
  let isSlow = false;
  const opened = await openContext(options, bench, signal, (from) => {
    isSlow = true;
    emit({ type: 'task.started', time: Date.now(), id, name: `load the build context from ${from}` });
  });
  if (isSlow) emit({ type: 'task.completed', time: Date.now(), id });
  return opened;
}

/** Said once: a few bytes stand everywhere by chance. */
function warnOfShortSecrets(patterns: readonly SecretPatterns[], emit: Reader['emit']): void {
  const short = patterns.filter(({ scan, forms }) => scan && forms.length === 0).map(({ id }) => `"${id}"`);
  if (short.length === 0) return;
  const message = `secrets of less than 8 bytes are neither searched for in what is built nor masked in logs: ${short.join(', ')}`;
  emit({ type: 'warning', time: Date.now(), message });
}

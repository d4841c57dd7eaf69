import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBoolean } from '../grammar/boolean.ts';
import { type UnpackedArchive, unpackFile, unpackStream } from './archive-context.ts';
import type { BuildOptions } from './build-options.ts';
import {
  candidatesFor,
  type DockerfileSource,
  dockerfileFromStream,
  maxDockerfileBytes,
  missingDockerfile,
  readDockerfile,
} from './context/dockerfile.ts';
import { redactUrl } from './context/git-access.ts';
import { type IgnoreRules, loadIgnoreRules } from './context/ignore-file.ts';
import { isHttpUrl, locateContext } from './context/location.ts';
import { isArchive, peek } from './context/stream-head.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { HttpSpec, Spec } from './graph/spec.ts';
import { type Vertex, vertex } from './graph/vertex.ts';
import { contextName, type NamedContext, type NamedContexts } from './plan/named-contexts.ts';
import { gitContext, isGit } from './remote-context.ts';
import type { Tools, Workbench } from './workbench.ts';
import type { Source } from './worker/protocol.ts';

/** The main context and its Dockerfile. */
export interface OpenedContext {
  readonly source: DockerfileSource;
  /** What COPY copies from. */
  readonly vertex: Vertex<Spec>;
  /** What the files of the vertex were unpacked from. */
  readonly origin?: HttpSpec;
  /** A directory of the host that the worker has to know, by the name of the vertex's `local` spec. */
  readonly directories: ReadonlyMap<string, string>;
  readonly ignored: ReadonlyMap<string, IgnoreRules>;
}

type ContextOptions = Pick<BuildOptions, 'context' | 'dockerfile' | 'stdin' | 'buildArgs' | 'environment'>;

/** The way to a main context: what is wanted, and what may be needed. */
interface Way {
  readonly options: ContextOptions;
  readonly bench: Workbench;
  readonly signal: AbortSignal;
  readonly onLoad: (from: string) => void;
}

/**
 * Finds the main context and reads the Dockerfile. A directory needs none of the bench's tools; `onLoad` is told of what takes longer. Throws CONTEXT_INVALID, DOCKERFILE_MISSING,
 * DOCKERFILE_INVALID, ARG_INVALID, and what fetching throws.
 */
export async function openContext(
  options: ContextOptions,
  bench: Workbench,
  signal: AbortSignal,
  onLoad: (from: string) => void = () => {},
): Promise<OpenedContext> {
  const { context, dockerfile } = options;
  if (context === '-' && dockerfile === '-') {
    throw new BuildError('ARG_INVALID', 'standard input cannot be both the build context and the Dockerfile', {
      hint: 'give a directory as the context, or put the Dockerfile into the archive',
    });
  }
  const way = { options, bench, signal, onLoad };
  const location = await locateContext(context, isGit);
  switch (location.kind) {
    case 'directory':
      return openDirectory(location.path, way);
    case 'stdin':
      return openStream(way);
    case 'git':
      return openGit(location.text, way);
    case 'http':
      return openHttp(location.url, way);
  }
}

async function openDirectory(path: string, way: Way): Promise<OpenedContext> {
  const source = (await outsideDockerfile(way)) ?? (await readDockerfile(way.options.dockerfile ?? join(path, 'Dockerfile'), path));
  return {
    source,
    vertex: vertex<Spec>({ kind: 'local', name: 'context' }, [], 'build context'),
    directories: new Map([['context', path]]),
    ignored: new Map([['context', await loadIgnoreRules(path, source.path)]]),
  };
}

/** An archive, or a Dockerfile without any files beside it. */
async function openStream(way: Way): Promise<OpenedContext> {
  const { options, bench, signal } = way;
  const { head, all } = await peek(given(options.stdin));
  if (head.length === 0) {
    throw new BuildError('CONTEXT_INVALID', 'standard input is empty', {
      hint: '"-" reads an archive or a Dockerfile: cooper build - < FILE',
    });
  }
  if (isArchive(head)) {
    way.onLoad('standard input');
    return openArchive(await unpackStream(all, await bench.tools(), signal), 'the archive', way);
  }
  if (options.dockerfile !== undefined) throw twoDockerfiles('standard input');
  return loose(await dockerfileFromStream(all), vertex<Spec>({ kind: 'inline', files: [] }, [], 'build context'));
}

async function openGit(text: string, way: Way): Promise<OpenedContext> {
  const { options, bench, signal } = way;
  const spec = gitContext(text, {
    keepGitDir: parseBoolean(options.buildArgs?.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? '') === true,
    commitTime: Boolean(options.buildArgs?.SOURCE_DATE_EPOCH ?? options.environment?.SOURCE_DATE_EPOCH),
  });
  const outside = await outsideDockerfile(way);
  way.onLoad(redactUrl(text));
  const tools = await bench.tools();
  const source =
    outside ?? (await readInside(await asSource(await tools.remote.source(spec).directory(signal), tools, signal), redactUrl(text), way));
  return loose(source, vertex<Spec>(spec, [], 'build context'));
}

/** An archive, or a Dockerfile that is all there is: then COPY finds it as `context`. */
async function openHttp(url: string, way: Way): Promise<OpenedContext> {
  const { options, bench, signal } = way;
  way.onLoad(redactUrl(url));
  const tools = await bench.tools();
  const spec: HttpSpec = { kind: 'http', url, filename: 'context' };
  const directory = await tools.remote.source(spec).directory(signal);
  const file = join(directory, spec.filename);
  if (isArchive(await headOf(file))) {
    return { ...(await openArchive(await unpackFile(file, tools, signal), redactUrl(url), way)), origin: spec };
  }
  const outside = await outsideDockerfile(way);
  if (!outside && options.dockerfile !== undefined) throw twoDockerfiles(`"${redactUrl(url)}"`);
  const source = outside ?? { ...(await readDockerfile(file, undefined)), path: undefined, file: redactUrl(url) };
  return loose(source, vertex<Spec>(spec, [], 'build context'));
}

async function openArchive({ vertex: files, source }: UnpackedArchive, name: string, way: Way): Promise<OpenedContext> {
  return loose((await outsideDockerfile(way)) ?? (await readInside(source, name, way)), files);
}

/** Ignore files count in directories of the user's only. Source: BuildKit, frontend/dockerui, `DockerIgnorePatterns`. */
const loose = (source: DockerfileSource, context: Vertex<Spec>): OpenedContext => ({
  source,
  vertex: context,
  directories: new Map(),
  ignored: new Map(),
});

/** A Dockerfile that is not in the context: from standard input, from a URL, or (beside a URL as context) of an absolute path. */
async function outsideDockerfile({ options, bench, signal }: Way): Promise<DockerfileSource | undefined> {
  const { context, dockerfile } = options;
  if (dockerfile === undefined) return undefined;
  if (dockerfile === '-') return dockerfileFromStream(given(options.stdin));
  if (isHttpUrl(dockerfile)) {
    const spec: HttpSpec = { kind: 'http', url: dockerfile, filename: 'Dockerfile' };
    const directory = await (await bench.tools()).remote.source(spec).directory(signal);
    return { ...(await readDockerfile(join(directory, spec.filename), undefined)), path: undefined, file: redactUrl(dockerfile) };
  }
  return dockerfile.startsWith('/') && (isGit(context) || isHttpUrl(context)) ? readDockerfile(dockerfile, undefined) : undefined;
}

/** Reads the Dockerfile of a context that came from elsewhere: no path of it leads out of it. */
async function readInside(source: Source, where: string, { options, bench, signal }: Way): Promise<DockerfileSource> {
  const { worker, layers } = await bench.tools();
  if (source.kind === 'chain') await layers.ensureSnapshots(source.chain, signal);
  const wanted = options.dockerfile ?? 'Dockerfile';
  let names: readonly string[] = [];
  for (const path of candidatesFor(wanted)) {
    const chunks: Buffer[] = [];
    const onData = async (payload: Uint8Array) => void chunks.push(Buffer.from(payload.subarray(1)));
    const read = await worker.call('tree.read', { source, path, maxBytes: maxDockerfileBytes }, { signal, onData });
    if (read.found) return { path: undefined, file: path, text: Buffer.concat(chunks).toString() };
    names = read.names;
  }
  throw missingDockerfile(wanted, where, names);
}

async function asSource(path: string, { worker }: Tools, signal: AbortSignal): Promise<Source> {
  const handle = 'context to read';
  await worker.call('handle.open', { handle, path, access: 'read' }, { signal });
  return { kind: 'handle', handle, ignore: [] };
}

async function headOf(path: string): Promise<Buffer> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0);
  return buffer.subarray(0, bytesRead);
}

const twoDockerfiles = (what: string): BuildError =>
  new BuildError('ARG_INVALID', `${what} is a Dockerfile, and "--file" names another one`, {
    hint: 'leave out "--file", or give a directory as the context',
  });

function given(stdin: BuildOptions['stdin']): AsyncIterable<Uint8Array> {
  if (stdin) return stdin;
  throw new BuildError('ARG_INVALID', '"-" needs an input stream');
}

/** Finds what `--build-context` names. Directories and ignore rules of theirs go into the maps that are given. */
export async function openNamedContexts(
  contexts: Readonly<Record<string, string>>,
  { directories, ignored }: { readonly directories: Map<string, string>; readonly ignored: Map<string, IgnoreRules> },
): Promise<NamedContexts> {
  const found = new Map<string, NamedContext>();
  for (const [text, source] of Object.entries(contexts)) {
    const name = contextName(text);
    const context = await openNamed(name, source);
    if (context.kind === 'directory') {
      const handle = `context ${name}`;
      directories.set(handle, context.path);
      ignored.set(handle, await loadIgnoreRules(context.path, undefined));
      found.set(name, files(name, { kind: 'local', name: handle }));
    } else found.set(name, context);
  }
  return found;
}

/** The layouts of this machine that named contexts are read from. */
export const layoutsOf = (contexts: NamedContexts): ReadonlySet<string> =>
  new Set(
    contexts
      .values()
      .flatMap((context) => (context.kind === 'image' && context.reference.startsWith('oci-layout:') ? [context.reference] : [])),
  );

async function openNamed(name: string, source: string): Promise<NamedContext | { readonly kind: 'directory'; readonly path: string }> {
  const [, scheme, rest = ''] = /^([a-z-]+):(?:\/\/)?(.*)$/s.exec(source) ?? [];
  if (scheme === 'docker-image') return rest === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference: rest };
  if (scheme === 'oci-layout') return { kind: 'image', reference: source };
  if (scheme === 'target') {
    const hint = 'targets are known to "buildx bake" only: build the other one first, and give docker-image://NAME';
    throw unknownSource(name, source, hint);
  }
  const isThere = await stat(source).catch(() => undefined);
  if (isThere?.isDirectory()) return { kind: 'directory', path: source };
  if (isThere) throw unknownSource(name, source, 'it is a file: give the directory that it lies in');
  if (isGit(source)) return files(name, gitContext(source));
  if (isHttpUrl(source)) return files(name, { kind: 'http', url: source, filename: 'context' });
  const hint = 'a source is a directory, a URL, a git repository, docker-image://IMAGE or oci-layout://DIRECTORY';
  throw unknownSource(name, source, scheme === undefined ? 'there is no such directory' : hint);
}

const files = (name: string, spec: Spec): NamedContext => ({ kind: 'files', vertex: vertex<Spec>(spec, [], `context "${name}"`) });

const unknownSource = (name: string, source: string, hint: string): BuildError =>
  new BuildError('CONTEXT_INVALID', `"${source}" cannot be the context "${name}"`, { hint });

import { stat } from 'node:fs/promises';
import type { BuildOptions } from './build-options.ts';
import { type DockerfileSource, dockerfileFromStream, readDockerfile } from './context/dockerfile.ts';
import { type IgnoreRules, loadIgnoreRules } from './context/ignore-file.ts';
import { isHttpUrl, locateContext } from './context/location.ts';
import { isArchive, peek } from './context/stream-head.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { Spec } from './graph/spec.ts';
import { type Vertex, vertex } from './graph/vertex.ts';
import { contextName, type NamedContext, type NamedContexts } from './plan/named-contexts.ts';

/** The main context and its Dockerfile. */
export interface OpenedContext {
  readonly source: DockerfileSource;
  /** What COPY copies from. */
  readonly vertex: Vertex<Spec>;
  /** A directory of the host that the worker has to know, by the name of the vertex's `local` spec. */
  readonly directories: ReadonlyMap<string, string>;
  readonly ignored: ReadonlyMap<string, IgnoreRules>;
}

/** Finds the main context and reads the Dockerfile. Throws CONTEXT_INVALID, DOCKERFILE_MISSING, DOCKERFILE_INVALID, ARG_INVALID. */
export async function openContext(options: Pick<BuildOptions, 'context' | 'dockerfile' | 'stdin'>): Promise<OpenedContext> {
  const { context, dockerfile } = options;
  if (context === '-' && dockerfile === '-') {
    throw new BuildError('ARG_INVALID', 'standard input cannot be both the build context and the Dockerfile', {
      hint: 'give a directory as the context, or put the Dockerfile into the archive',
    });
  }
  const location = await locateContext(context, isGit);
  switch (location.kind) {
    case 'directory':
      return openDirectory(location.path, options);
    case 'stdin':
      return openStream(options);
    default:
      throw new BuildError('UNSUPPORTED', `"${context}" as build context is not there yet`, {
        hint: 'unpack it into a directory and give that',
      });
  }
}

async function openDirectory(path: string, { dockerfile, stdin }: Pick<BuildOptions, 'dockerfile' | 'stdin'>): Promise<OpenedContext> {
  const source = await readSource(path, dockerfile, stdin);
  return {
    source,
    vertex: contextVertex(),
    directories: new Map([['context', path]]),
    ignored: new Map([['context', await loadIgnoreRules(path, source.path)]]),
  };
}

async function readSource(path: string, dockerfile: string | undefined, stdin: BuildOptions['stdin']): Promise<DockerfileSource> {
  if (dockerfile === '-') return dockerfileFromStream(given(stdin));
  if (dockerfile !== undefined && isHttpUrl(dockerfile))
    throw new BuildError('UNSUPPORTED', 'a Dockerfile from a URL is not there yet', { hint: 'download it, and name it with -f' });
  return readDockerfile(dockerfile ?? `${path}/Dockerfile`, path);
}

/** An archive, or a Dockerfile without any files beside it. */
async function openStream({ dockerfile, stdin }: Pick<BuildOptions, 'dockerfile' | 'stdin'>): Promise<OpenedContext> {
  const { head, all } = await peek(given(stdin));
  if (head.length === 0) {
    throw new BuildError('CONTEXT_INVALID', 'standard input is empty', {
      hint: '"-" reads an archive or a Dockerfile: cooper build - < FILE',
    });
  }
  if (isArchive(head)) {
    throw new BuildError('UNSUPPORTED', 'an archive as build context is not there yet', {
      hint: 'unpack it into a directory and give that',
    });
  }
  if (dockerfile !== undefined) {
    throw new BuildError('ARG_INVALID', 'standard input is a Dockerfile, and "--file" names another one', {
      hint: 'leave out "--file", or give a directory as the context',
    });
  }
  return { source: await dockerfileFromStream(all), vertex: emptyContext(), directories: new Map(), ignored: new Map() };
}

function given(stdin: BuildOptions['stdin']): AsyncIterable<Uint8Array> {
  if (stdin) return stdin;
  throw new BuildError('ARG_INVALID', '"-" needs an input stream');
}

const contextVertex = (): Vertex<Spec> => vertex<Spec>({ kind: 'local', name: 'context' }, [], 'build context');
const emptyContext = (): Vertex<Spec> => vertex<Spec>({ kind: 'inline', files: [] }, [], 'build context');

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
      found.set(name, { kind: 'files', vertex: vertex<Spec>({ kind: 'local', name: handle }, [], `context "${name}"`) });
    } else found.set(name, context);
  }
  return found;
}

async function openNamed(name: string, source: string): Promise<NamedContext | { readonly kind: 'directory'; readonly path: string }> {
  const [, scheme, rest = ''] = /^([a-z-]+):(?:\/\/)?(.*)$/s.exec(source) ?? [];
  if (scheme === 'docker-image') return rest === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference: rest };
  if (scheme === 'target')
    throw unknownSource(name, source, 'targets are known to "buildx bake" only: build the other one first, and give docker-image://NAME');
  if (scheme === 'oci-layout' || isGit(source) || isHttpUrl(source)) {
    throw new BuildError('UNSUPPORTED', `"${source}" as the context "${name}" is not there yet`, { hint: 'give a directory' });
  }
  const isThere = await stat(source).catch(() => undefined);
  if (isThere?.isDirectory()) return { kind: 'directory', path: source };
  if (isThere) throw unknownSource(name, source, 'it is a file: give the directory that it lies in');
  const hint = 'a source is a directory, a URL, a git repository, docker-image://IMAGE or oci-layout://DIRECTORY';
  throw unknownSource(name, source, scheme === undefined ? 'there is no such directory' : hint);
}

const unknownSource = (name: string, source: string, hint: string): BuildError =>
  new BuildError('CONTEXT_INVALID', `"${source}" cannot be the context "${name}"`, { hint });

const isGit = (text: string): boolean => /^(?:git|ssh):\/\/|^[\w.-]+@[\w.-]+:|^github\.com\/|^https?:\/\/[^?#]+\.git(?:[?#]|$)/.test(text);

import { posix } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { CopySpec, Spec } from '../graph/spec.ts';
import { inputAt, type Vertex } from '../graph/vertex.ts';
import type { ExecuteContext } from './context.ts';
import { rangeOfSource } from './copy-source-error.ts';
import { looseSource } from './source-ops.ts';

// BuildKit sends of a context only what the steps name, each directory with the way to it. So "src/none*" finds no "src" where nothing in it was
// sent, and fails, while "none*" only matches nothing. Source: fsutil, `ResolveWildcards`, which looks at what stands before the wildcard.

type Names = readonly string[];

/** The paths and patterns that the steps of a build name in contexts, by the context's name, as names between the slashes. */
export function namedPaths(vertices: readonly Vertex<Spec>[]): ReadonlyMap<string, readonly Names[]> {
  const named = new Map<string, Names[]>();
  for (const vertex of vertices) {
    for (const [input, path] of asked(vertex.spec)) {
      const { spec } = inputAt(vertex, input);
      if (spec.kind !== 'local') continue;
      const names = named.get(spec.name) ?? [];
      names.push(namesOf(path));
      named.set(spec.name, names);
    }
  }
  return named;
}

/** Fails where a pattern of a COPY from a context begins in a directory that BuildKit would not have been sent. */
export async function requireSent(
  vertex: Vertex<Spec>,
  spec: CopySpec,
  at: number,
  context: ExecuteContext,
  signal: AbortSignal,
): Promise<void> {
  const part = spec.parts[at];
  const input = part && inputAt(vertex, part.input);
  const source = input && looseSource(input, context);
  if (!source || input.spec.kind !== 'local' || part.parents) return;
  const others = context.named.get(input.spec.name) ?? [];
  for (const pattern of part.sources) {
    const names = namesOf(pattern);
    const top = names.slice(0, Math.max(names.findIndex(isWild), 0));
    if (top.length === 0 || others.some((other) => other.join('/') !== names.join('/') && meets(other, top))) continue;
    // With their parents from there on, so that symlinks are followed up to it and a directory counts that has nothing in it.
    const pivoted = [...top, '.', ...names.slice(top.length)].join('/');
    const selection = { source, sources: [pivoted], exclude: [], parents: true, unpack: false };
    const { entries } = await context.worker.call('tree.select', { selection }, { signal });
    if (entries > 0) continue;
    throw new BuildError('COPY_SOURCE_MISSING', `"${pattern}" matches nothing in the ${input.name}`, {
      range: vertex.origin && rangeOfSource(vertex.origin, pattern),
      hint: 'a pattern in a directory has to match something there, unless another step takes that directory',
    });
  }
}

function asked(spec: Spec): readonly (readonly [number, string])[] {
  if (spec.kind === 'copy') return spec.parts.flatMap(({ input, sources }) => sources.map((path) => [input, path] as const));
  if (spec.kind === 'exec') return spec.mounts.flatMap((mount) => (mount.type === 'bind' ? [[mount.input, mount.source] as const] : []));
  return [];
}

/** Whether one leads into the other, either way. */
const meets = (pattern: Names, path: Names): boolean =>
  path.slice(0, pattern.length).every((name, index) => fits(name, pattern[index] ?? ''));

/** Classes and escapes are not looked into: they may fit. */
function fits(name: string, pattern: string): boolean {
  if (/[[\\]/.test(pattern)) return true;
  const text = pattern.split(/([*?])/).map((piece) => (piece === '*' ? '.*' : piece === '?' ? '.' : RegExp.escape(piece)));
  return new RegExp(`^${text.join('')}$`, 's').test(name);
}

const namesOf = (path: string): Names => posix.resolve('/', path).split('/').filter(Boolean);

const isWild = (name: string): boolean => /[*?[]/.test(name.replace(/\\./g, ''));

import { posix } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import { readBoundedFile } from './read-bounded.ts';
import { resolveWithin } from './resolve-within.ts';

/** One line, cleaned: no leading `/`, no `!`. */
export interface IgnoreRule {
  readonly pattern: string;
  readonly negated: boolean;
  /** Counts from 1. */
  readonly line: number;
}

/** The rules of a context, and the file that they are from with its text (undefined: there is none). */
export interface IgnoreRules {
  readonly rules: readonly IgnoreRule[];
  readonly file: string | undefined;
  readonly text: string | undefined;
}

/** Rules beyond this make no sense, and every path is matched against each of them. */
const maxIgnoreFileBytes = 4 * 1024 * 1024;

/**
 * Reads the rules for a context: `<Dockerfile>.dockerignore` where there is one, it replaces `.dockerignore` at the root of the context.
 * Throws DOCKERFILE_INVALID for a bad line, CONTEXT_INVALID for a file that cannot be read.
 */
export async function loadIgnoreRules(contextDir: string, dockerfilePath: string | undefined): Promise<IgnoreRules> {
  const own = dockerfilePath === undefined ? [] : [`${dockerfilePath}.dockerignore`];
  for (const file of [...own, posix.join(contextDir, '.dockerignore')]) {
    // A symlink leads to what lies in the same directory, or nowhere, as BuildKit has it.
    const place = await resolveWithin(posix.dirname(file), posix.basename(file));
    const text = place === undefined ? undefined : await readIfThere(place);
    if (text !== undefined) return { rules: parseIgnoreFile(text, file), file, text };
  }
  return nothingIgnored;
}

const nothingIgnored: IgnoreRules = { rules: [], file: undefined, text: undefined };

/** A longer line is refused. Source: Go, bufio, `MaxScanTokenSize`, the line's end included. */
const maxLineBytes = 64 * 1024;

/**
 * The rules of a .dockerignore, in order: the last one that matches wins. Source: moby/patternmatcher 0.6.1, `ignorefile.ReadAll` and `New`.
 * Throws DOCKERFILE_INVALID for a `!` with nothing after it, and for what is no pattern; `file` is for the message.
 */
export function parseIgnoreFile(text: string, file = '.dockerignore'): IgnoreRule[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line, index) => {
      const place = { line: index + 1, file, text };
      if (Buffer.byteLength(line) >= maxLineBytes) throw badRule(place, `is longer than ${maxLineBytes - 1} bytes`);
      // Only in the first column: " #x" is a pattern.
      if (line.startsWith('#') || trim(line) === '') return [];
      return [parseRule(trim(line), place)];
    });
}

interface Place {
  readonly line: number;
  readonly file: string;
  readonly text: string;
}

function parseRule(text: string, place: Place): IgnoreRule {
  const isNegated = text.startsWith('!');
  const written = isNegated ? trim(text.slice(1)) : text;
  const inContext = clean(written).replace(/^\/(?=.)/s, '');
  // Cleaned once more with the "!": so "/!a" is a negation too, and "!/" is nothing.
  const rule = clean(isNegated ? `!${written === '' ? '' : inContext}` : inContext);
  const negated = rule.startsWith('!');
  const pattern = negated ? rule.slice(1) : rule;
  if (pattern === '') throw badRule(place, 'is a "!" with nothing after it', 'a pattern after "!" is not ignored, as in "!keep.txt"');
  if (!isPattern(pattern))
    throw badRule(place, `is no pattern: "${pattern}"`, 'a "[" needs its "]", and a "\\" the character that it makes plain');
  return { pattern, negated, line: place.line };
}

/** As Go's path.Clean. */
function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

/** As Go's strings.TrimSpace, which knows other spaces than JavaScript does. Source: Go, unicode, `White_Space`. */
const trim = (text: string): string =>
  text.replace(
    /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g,
    '',
  );

/** Whether Go's filepath.Match takes it: Docker asks, whatever the pattern means there. */
function isPattern(pattern: string): boolean {
  const member = String.raw`(?:\\[^]|[^\-\]\\])`;
  return new RegExp(String.raw`^(?:[^\[\\]|\\[^]|\[(?:\^|(?!\^))(?:${member}(?:-${member})?)+\])*$`, 'u').test(pattern);
}

function badRule({ line, ...source }: Place, why: string, hint?: string): BuildError {
  return new BuildError('DOCKERFILE_INVALID', `line ${line} of "${source.file}" ${why}`, { range: wholeLine(line, source), hint });
}

function wholeLine(line: number, { file, text }: { file: string; text: string }): SourceRange {
  const lines = text.split('\n');
  const content = (lines[line - 1] ?? '').replace(/\r$/, '');
  const offset = Buffer.byteLength(lines.slice(0, line - 1).join('\n')) + (line > 1 ? 1 : 0);
  const end = { line, column: [...content].length + 1, offset: offset + Buffer.byteLength(content) };
  return { file, text, start: { line, column: 1, offset }, end };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    const bytes = await readBoundedFile(file, maxIgnoreFileBytes);
    if (bytes) return bytes.toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new BuildError('CONTEXT_INVALID', `"${file}" cannot be read: ${String(code ?? (error as Error).message)}`, { cause: error });
  }
  throw new BuildError('CONTEXT_INVALID', `"${file}" is larger than ${maxIgnoreFileBytes} bytes`);
}

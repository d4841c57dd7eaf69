import { posix } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import { readBounded } from './read-bounded.ts';

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
    const text = await readIfThere(file);
    if (text !== undefined) return { rules: parseIgnoreFile(text, file), file, text };
  }
  return nothingIgnored;
}

export const nothingIgnored: IgnoreRules = { rules: [], file: undefined, text: undefined };

/**
 * The rules of a .dockerignore, in order: the last one that matches wins. Source: moby/patternmatcher, `ignorefile.ReadAll`.
 * Throws DOCKERFILE_INVALID for a `!` with nothing after it; `file` is for the message.
 */
export function parseIgnoreFile(text: string, file = '.dockerignore'): IgnoreRule[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((line, index) => {
      // Only in the first column: " #x" is a pattern.
      if (line.startsWith('#') || line.trim() === '') return [];
      return [parseRule(line.trim(), index + 1, { file, text })];
    });
}

function parseRule(text: string, line: number, source: { file: string; text: string }): IgnoreRule {
  const negated = text.startsWith('!');
  const pattern = negated ? text.slice(1).trim() : text;
  if (pattern !== '') return { pattern: cleanPattern(pattern), negated, line };
  throw new BuildError('DOCKERFILE_INVALID', `line ${line} of "${source.file}" is a "!" with nothing after it`, {
    range: wholeLine(line, source),
    hint: 'a pattern after "!" is not ignored, as in "!keep.txt"',
  });
}

/** As Go's path.Clean, and without the `/` in front: patterns are relative to the root of the context. */
function cleanPattern(pattern: string): string {
  const clean = posix.normalize(pattern);
  const withoutEnd = clean.length > 1 ? clean.replace(/\/$/, '') : clean;
  return withoutEnd.length > 1 ? withoutEnd.replace(/^\//, '') : withoutEnd;
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
    const bytes = await readBounded(file, maxIgnoreFileBytes);
    if (bytes) return bytes.toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new BuildError('CONTEXT_INVALID', `"${file}" cannot be read: ${String(code ?? error)}`, { cause: error });
  }
  throw new BuildError('CONTEXT_INVALID', `"${file}" is larger than ${maxIgnoreFileBytes} bytes`);
}

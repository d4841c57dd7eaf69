// The patterns of ${v#p}, ${v%p} and ${v/p/r}: "*" is any text of one line, "?" any character of it, a backslash before one of them or
// before itself makes it ordinary. No brackets. Source: BuildKit's shell lexer. Matching places one stretch between two stars after the
// other and never goes back, so that no pattern takes exponential time.

/** Characters to match in a row; undefined stands for any but a line feed. */
type Stretch = readonly (string | undefined)[];

/** The stretches between the stars. */
export type Glob = readonly [Stretch, ...Stretch[]];

type Characters = readonly string[];

/** Reads a pattern; the message of its error otherwise. */
export function parseGlob(pattern: string): Glob | string {
  const stretches: [(string | undefined)[], ...(string | undefined)[][]] = [[]];
  // Go's scanner skips a byte order mark at the start.
  const characters = [...(pattern.charCodeAt(0) === 0xfeff ? pattern.slice(1) : pattern)];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    const stretch = stretches.at(-1) ?? stretches[0];
    if (character === '*') stretches.push([]);
    else if (character === '?') stretch.push(undefined);
    else if (character !== '\\') stretch.push(character);
    else {
      const next = characters[++at] ?? '';
      if (!['*', '?', '\\', '}', '/'].includes(next)) return `invalid escape "\\${next}" in the pattern "${pattern}"`;
      stretch.push(next);
    }
  }
  return stretches;
}

/**
 * Reads a pattern for trimSuffix: backwards, but escapes forwards. Source: BuildKit, `reversePattern`, which leaves a last escape character
 * to what then stands behind it.
 */
export function parseSuffixGlob(pattern: string): Glob | string {
  return parseGlob(
    [...pattern.matchAll(/\\.|./gsu)]
      .map(([each]) => each)
      .reverse()
      .join(''),
  );
}

/** Removes what the pattern matches at the start. */
export function trimPrefix(value: string, glob: Glob, which: 'shortest' | 'longest'): string {
  const characters = [...value];
  const end = matchAt(characters, 0, glob, which);
  return end === undefined ? value : characters.slice(end).join('');
}

/** Removes what the pattern, read by parseSuffixGlob, matches at the end: the same, seen from behind. */
export function trimSuffix(value: string, glob: Glob, which: 'shortest' | 'longest'): string {
  const characters = [...value].reverse();
  const end = matchAt(characters, 0, glob, which);
  return end === undefined ? value : characters.slice(end).reverse().join('');
}

/** Replaces the first and longest match; `replacement` is taken as it is. */
export function replaceFirst(value: string, glob: Glob, replacement: string): string {
  const characters = [...value];
  const found = findFrom(characters, 0, glob);
  if (!found) return value;
  return characters.slice(0, found.start).join('') + replacement + characters.slice(found.end).join('');
}

/** Replaces every match. An empty match right behind another does not count, as in Go's regexp. Undefined above `limit` characters. */
export function replaceAll(value: string, glob: Glob, replacement: (match: string) => string, limit: number): string | undefined {
  const characters = [...value];
  const pieces: string[] = [];
  let length = 0;
  let copied = 0;
  const add = (piece: string) => {
    pieces.push(piece);
    length += piece.length;
  };
  for (let at = 0; at <= characters.length && length <= limit; ) {
    const found = findFrom(characters, at, glob);
    if (!found) break;
    add(characters.slice(copied, found.start).join(''));
    if (found.end > copied || found.start === 0) add(replacement(characters.slice(found.start, found.end).join('')));
    copied = found.end;
    at = Math.max(at + 1, found.end);
  }
  add(characters.slice(copied).join(''));
  return length > limit ? undefined : pieces.join('');
}

function findFrom(value: Characters, from: number, glob: Glob): { start: number; end: number } | undefined {
  const [first] = glob;
  for (let start = from; start <= value.length; start++) {
    if (!fits(value, start, first)) continue;
    const end = matchAt(value, start, glob, 'longest');
    if (end !== undefined) return { start, end };
    // No later start whose first star begins on the same line can do better: on to those behind its end.
    start = Math.max(start, lineEnd(value, start + first.length) - first.length);
  }
  return undefined;
}

/** Where a match from `start` ends. Only the last star decides about the length: the ones before end as early as they can. */
function matchAt(value: Characters, start: number, [first, ...others]: Glob, which: 'shortest' | 'longest'): number | undefined {
  if (!fits(value, start, first)) return undefined;
  let at = start + first.length;
  for (const [index, stretch] of others.entries()) {
    const limit = lineEnd(value, at);
    const last = which === 'longest' && index === others.length - 1;
    const found = last ? lastFit(value, at, limit, stretch) : firstFit(value, at, limit, stretch);
    if (found === undefined) return undefined;
    at = found + stretch.length;
  }
  return at;
}

function firstFit(value: Characters, from: number, to: number, stretch: Stretch): number | undefined {
  for (let at = from; at <= to; at++) if (fits(value, at, stretch)) return at;
  return undefined;
}

function lastFit(value: Characters, from: number, to: number, stretch: Stretch): number | undefined {
  for (let at = to; at >= from; at--) if (fits(value, at, stretch)) return at;
  return undefined;
}

function fits(value: Characters, start: number, stretch: Stretch): boolean {
  if (start + stretch.length > value.length) return false;
  return stretch.every((wanted, at) => (wanted === undefined ? value[start + at] !== '\n' : value[start + at] === wanted));
}

function lineEnd(value: Characters, from: number): number {
  const feed = value.indexOf('\n', from);
  return feed === -1 ? value.length : feed;
}

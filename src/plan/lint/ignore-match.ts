// Whether patterns of an ignore file without exceptions match a path or a directory above it, by their text alone: what BuildKit asks
// of a source before any file is looked at. Matching costs the length of the path times that of the pattern, whatever the pattern.

/** Whether a path, or one above it, matches. */
type Test = (path: string) => boolean;
export type IgnoreMatcher = readonly Test[];

/** Of cleaned patterns. One that is no valid pattern matches nothing. */
export const ignoreMatcher = (patterns: readonly string[]): IgnoreMatcher => patterns.map(testOf);

/** Longer paths are no names of files. Source: Linux, PATH_MAX. */
const maxPathLength = 4096;

/** Source: moby/patternmatcher, `MatchesOrParentMatches`. */
export function ignores(matcher: IgnoreMatcher, path: string): boolean {
  return path.length <= maxPathLength && matcher.some((test) => test(path));
}

/** Source: moby/patternmatcher, `compile`: it tells four kinds of pattern apart, which do not all match alike. */
function testOf(pattern: string): Test {
  const rest = pattern.replace(/^\*\*/, '');
  const isPlain = !/[*?[\]\\]/.test(rest);
  const isAt = (path: string, name: string): boolean => path === name || path.startsWith(`${name}/`);
  if (isPlain && rest !== pattern) {
    return (path) => path.endsWith(rest) || path.includes(`${rest}/`) || (rest.startsWith('/') && isAt(path, rest.slice(1)));
  }
  const start = pattern.replace(/\*\*\/?$/, '');
  if (start !== pattern && !/[*?[\]\\]/.test(start)) return (path) => path.startsWith(pattern.slice(0, -2));
  if (isPlain) return (path) => isAt(path, pattern);
  const pieces = piecesOf(pattern);
  return pieces ? (path) => runs(pieces, [...path]) : () => false;
}

/**
 * `many`: any number of characters that fit. `gap` and the `within` behind it: nothing, or anything that ends with a slash.
 */
type Piece = { readonly kind: 'one' | 'many'; readonly fits: (character: string) => boolean } | { readonly kind: 'gap' | 'within' };

function piecesOf(pattern: string): Piece[] | undefined {
  const pieces: Piece[] = [];
  const form = /\*\*\/?|\*|\?|\[(\^?)((?:\\.|[^\]])+)\]|\\(.)|(.)/gsu;
  for (const { 0: text, 1: negation, 2: members, 3: escaped, 4: plain, index } of pattern.matchAll(form)) {
    const isEnd = index + text.length === pattern.length;
    if (text.startsWith('**'))
      pieces.push(...(isEnd ? [{ kind: 'many', fits: () => true } as const] : ([{ kind: 'gap' }, { kind: 'within' }] as const)));
    else if (text === '*') pieces.push({ kind: 'many', fits: (character) => character !== '/' });
    else if (text === '?') pieces.push({ kind: 'one', fits: (character) => character !== '/' });
    else if (members !== undefined) {
      const fits = classOf(members, negation === '^');
      if (!fits) return undefined;
      pieces.push({ kind: 'one', fits });
    } else {
      const wanted = escaped ?? plain;
      pieces.push({ kind: 'one', fits: (character) => character === wanted });
    }
  }
  return pieces;
}

function classOf(members: string, isNegated: boolean): ((character: string) => boolean) | undefined {
  const ranges: [string, string][] = [];
  for (const { 1: first = '', 2: last = first } of members.matchAll(/(\\.|.)(?:-(\\.|.))?/gsu)) {
    ranges.push([first.replace(/^\\(.)/su, '$1'), last.replace(/^\\(.)/su, '$1')]);
  }
  if (ranges.some(([first, last]) => first > last)) return undefined;
  return (character) => ranges.some(([first, last]) => first <= character && character <= last) !== isNegated;
}

/** Follows every way through the pieces at once. The end of a directory's name is an end, too. */
function runs(pieces: readonly Piece[], characters: readonly string[]): boolean {
  let places = reach(pieces, [0]);
  for (const character of characters) {
    if (character === '/' && places.has(pieces.length)) return true;
    places = reach(
      pieces,
      [...places].flatMap((place) => after(place, pieces[place], character)),
    );
    if (places.size === 0) return false;
  }
  return places.has(pieces.length);
}

function after(place: number, piece: Piece | undefined, character: string): readonly number[] {
  if (piece?.kind === 'within') return character === '/' ? [place, place + 1] : [place];
  if (!piece || !('fits' in piece) || !piece.fits(character)) return [];
  return [piece.kind === 'many' ? place : place + 1];
}

/** Adds the places that are reached without a character. */
function reach(pieces: readonly Piece[], from: readonly number[]): ReadonlySet<number> {
  const places = new Set<number>();
  const pending = [...from];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (places.has(place)) continue;
    places.add(place);
    const kind = pieces[place]?.kind;
    if (kind === 'many' || kind === 'gap') pending.push(place + 1);
    if (kind === 'gap') pending.push(place + 2);
  }
  return places;
}

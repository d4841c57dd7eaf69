// BuildKit writes history with Go's fmt; images that are to be equal need the same text.

const shortEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** `["a" "b"]`: Go's `%q` of a slice. */
export const quoteList = (words: readonly string[]): string => `[${words.map(quote).join(' ')}]`;

/** `[a b]`: Go's `%v` of a slice. */
export const plainList = (words: readonly string[]): string => `[${words.join(' ')}]`;

/** Go's `%v` of a time.Duration of that many nanoseconds: `1m30s`, `1.5s`, `500ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${fraction(nanoseconds, 1000n)}µs`;
  if (nanoseconds < 1e9) return `${fraction(nanoseconds, 1_000_000n)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${fraction(nanoseconds - minutes * 60e9, 1_000_000_000n)}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

function fraction(nanoseconds: number, unit: bigint): string {
  const value = BigInt(nanoseconds);
  const rest = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return `${value / unit}${rest && `.${rest}`}`;
}

/** `"a"`: Go's `%q` of a string. */
export const quote = (word: string): string => `"${Array.from(word, quoteCharacter).join('')}"`;

function quoteCharacter(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
}

// BuildKit knows two kinds of white space. Go's `unicode.IsSpace` is trimmed off lines and arguments, and parts the words of ARG, ENV and
// LABEL; what parts the name of an instruction from its arguments, and words elsewhere, is the ASCII kind alone.

/** As `unicode.IsSpace` of Go: with U+0085, without the byte order mark that JavaScript's `\s` counts. */
export function isSpace(unit: number): boolean {
  if (unit === 32 || (unit >= 9 && unit <= 13)) return true;
  if (unit < 0x80) return false;
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0;
  if (unit >= 0x2000 && unit <= 0x200a) return true;
  return unit === 0x1680 || unit === 0x2028 || unit === 0x2029 || unit === 0x202f || unit === 0x205f || unit === 0x3000;
}

/** What parts words: space, tab, vertical tab, form feed, carriage return. */
export function isSeparator(unit: number): boolean {
  return unit === 32 || unit === 9 || (unit >= 11 && unit <= 13);
}

/** Index of the first character from `start` on that is no white space of that kind. */
export function skipSpace(text: string, start: number, is: (unit: number) => boolean = isSpace): number {
  let at = start;
  while (at < text.length && is(text.charCodeAt(at))) at++;
  return at;
}

/** Index of the first white space of that kind from `start` on. */
export function wordEnd(text: string, start: number, is: (unit: number) => boolean = isSeparator): number {
  let at = start;
  while (at < text.length && !is(text.charCodeAt(at))) at++;
  return at;
}

/** As `strings.TrimSpace` of Go. */
export function trimSpace(text: string): string {
  return trimSpaceEnd(text.slice(skipSpace(text, 0)));
}

export function trimSpaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Texts that are taken out of others. */
export class MaskedTexts {
  readonly #texts: readonly string[];

  /** Bytes that are no UTF-8 are in no text. */
  constructor(patterns: readonly Buffer[]) {
    const texts = patterns.map((pattern) => pattern.toString()).filter((text, at) => patterns[at]?.equals(Buffer.from(text)));
    this.#texts = [...new Set(texts)];
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0;
  }

  /** Replaces what these texts cover: where two overlap or touch, both at once. */
  replace(text: string, instead: (covered: string) => string): string {
    const found = this.#texts.flatMap((each) => placesOf(each, text)).toSorted((a, b) => a.start - b.start);
    const parts: string[] = [];
    let at = 0;
    for (const { start, end } of joined(found)) {
      parts.push(text.slice(at, start), instead(text.slice(start, end)));
      at = end;
    }
    return at === 0 ? text : parts.join('') + text.slice(at);
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/** Where a text stands in another, also over itself. */
function placesOf(wanted: string, text: string): Place[] {
  const places: Place[] = [];
  for (let start = text.indexOf(wanted); start >= 0; start = text.indexOf(wanted, start + 1)) {
    places.push({ start, end: start + wanted.length });
  }
  return places;
}

/** Sorted places, as one where they overlap or touch. */
function joined(places: readonly Place[]): Place[] {
  const all: Place[] = [];
  for (const place of places) {
    const last = all.at(-1);
    if (last && place.start <= last.end) all[all.length - 1] = { start: last.start, end: Math.max(last.end, place.end) };
    else all.push(place);
  }
  return all;
}

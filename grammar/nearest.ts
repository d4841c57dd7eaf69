// src/diagnostics/suggest.ts does the same for the rest of the program. There are two since neither can know the other: the grammar imports nothing
// of ours, and what lies below all folders does not import the grammar. They differ as their words do: those here are short and few.

/** Words longer than this are no misspelling of a name of ours, and comparing them would cost their length. */
const LONGEST = 32;

/** The candidate that `word` most likely means: a third of it may be wrong, or two letters missing. Case does not count. Undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < 2 || word.length > LONGEST) return undefined;
  const folded = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    const distance = editDistance(folded, other);
    const allowed = Math.max(isAbbreviation(folded, other) ? 2 : 1, Math.floor(word.length / 3));
    if (distance > allowed || distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** True if letters are missing, and nothing else is wrong. */
function isAbbreviation(word: string, candidate: string): boolean {
  let at = 0;
  for (const letter of candidate) if (letter === word[at]) at++;
  return at === word.length;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      let distance = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) distance = Math.min(distance, (before[column - 2] ?? 0) + 1);
      current.push(distance);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}

/** Longer words are no slip of the finger, and would cost time squared. */
const longest = 64;

/**
 * The candidate that `word` was most likely meant to be; undefined when none is near. Upper and lower case count as equal.
 * A word of up to 3 letters may have one slip (a letter wrong, missing, too many, or two swapped), of up to 7 two, a longer one three.
 * Of equally near candidates the first wins.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > longest) return undefined;
  const folded = word.toLowerCase();
  let best: string | undefined;
  let bound = word.length <= 3 ? 1 : word.length <= 7 ? 2 : 3;
  for (const candidate of candidates) {
    const slips = distance(folded, candidate.toLowerCase(), bound);
    // As many slips as letters means that nothing of the word is left.
    if (slips > bound || slips >= candidate.length) continue;
    best = candidate;
    bound = slips - 1;
    if (bound < 0) break;
  }
  return best;
}

/** Damerau-Levenshtein distance (optimal string alignment), or any number above `bound` when it is greater than that. */
function distance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) row.push(cell(a, b, i, j, row, last, beforeLast));
    if (Math.min(...row) > bound) return bound + 1;
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? bound + 1;
}

function cell(
  a: string,
  b: string,
  i: number,
  j: number,
  row: readonly number[],
  last: readonly number[],
  beforeLast: readonly number[],
): number {
  const at = (cells: readonly number[], index: number): number => cells[index] ?? Number.POSITIVE_INFINITY;
  const change = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
  const best = Math.min(change, at(last, j) + 1, at(row, j - 1) + 1);
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(best, at(beforeLast, j - 2) + 1) : best;
}

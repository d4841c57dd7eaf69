/** Names differ by less than this where one is meant for the other. Source: BuildKit, util/suggest. */
const maxDistance = 3;
/** Longer names are compared with nothing: it would cost their length squared. */
const maxLength = 256;

/** The first of the nearest names; undefined when none is near, or one is the same. The message of a rule has it, so it is BuildKit's choice. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > maxLength) return undefined;
  let found: string | undefined;
  let least = maxDistance;
  for (const candidate of candidates) {
    if (candidate === name) return undefined;
    if (Math.abs(candidate.length - name.length) >= least || candidate.length > maxLength) continue;
    const distance = levenshtein([...name], [...candidate]);
    if (distance >= least) continue;
    found = candidate;
    least = distance;
  }
  return found === '' ? undefined : found;
}

function levenshtein(from: readonly string[], to: readonly string[]): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, letter] of from.entries()) {
    const current = [row + 1];
    for (const [column, other] of to.entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

import { expandWord, expandWords } from '../../grammar/words/expand.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';

export type Scope = ReadonlyMap<string, string>;

/** UTF-16 units that variables may still put in during this build: a file of a few lines (`ENV a=$a$a`) could fill the memory. */
export interface ExpansionBudget {
  left: number;
}

/** What a build gets: far more than any image's config can hold. */
export const expansionBudget = (): ExpansionBudget => ({ left: 16 * 1024 * 1024 });

interface Place {
  readonly escape: '\\' | '`';
  readonly budget: ExpansionBudget;
  readonly range: SourceRange;
}

/** A word after expansion, without its quotes. Throws EXPANSION_FAILED at the word. */
export function expandText(word: string, scope: Scope, place: Place): string {
  const { text, error } = expandWord(word, lookupIn(scope, place), { escape: place.escape, quotes: 'remove' });
  if (error !== undefined) throw expansionFailed(error, place.range);
  spend(Math.max(0, text.length - word.length), place);
  return text;
}

/** The names in a word that are not set. */
export function unsetIn(word: string, scope: Scope, { escape: escapeCharacter }: Pick<Place, 'escape'>): readonly string[] {
  return expandWord(word, (name) => scope.get(name), { escape: escapeCharacter, quotes: 'remove' }).unset;
}

/** As expandText, but a word whose unquoted variables hold spaces becomes several. */
export function expandToWords(word: string, scope: Scope, place: Place): readonly string[] {
  const { words, error } = expandWords(word, lookupIn(scope, place), { escape: place.escape, quotes: 'remove' });
  if (error !== undefined) throw expansionFailed(error, place.range);
  return words;
}

/** The body of a heredoc: quotes are text, and the escape is always a backslash. Source: BuildKit, `ExpandRaw`. */
export function expandBody(body: string, scope: Scope, place: Omit<Place, 'escape'>): string {
  const { text, error } = expandWord(body, lookupIn(scope, place), { escape: '\\', quotes: 'keep' });
  if (error !== undefined) throw expansionFailed(error, place.range);
  spend(Math.max(0, text.length - body.length), place);
  return text;
}

/** A line for people: expanded where every variable of it is known and short, else as it was written. Never fails. */
export function expandForDisplay(line: string, scope: Scope, escapeCharacter: Place['escape'], quotes: 'keep' | 'remove' = 'keep'): string {
  const lookup = (name: string): string | undefined => {
    const value = scope.get(name);
    return value !== undefined && value.length <= maxShownValue ? value : undefined;
  };
  const { text, unset, error } = expandWord(line, lookup, { escape: escapeCharacter, quotes });
  return error === undefined && unset.length === 0 ? text : line;
}

const maxShownValue = 200;

/** Spends from the budget: for what is looked up, so that nothing grows, and for what came out, since patterns may make more of it. Throws EXPANSION_FAILED where it is used up. */
export function spend(length: number, { budget, range }: Pick<Place, 'budget' | 'range'>): void {
  budget.left -= length;
  if (budget.left < 0) throw new BuildError('EXPANSION_FAILED', 'the variables of this Dockerfile grow without end', { range });
}

function lookupIn(scope: Scope, place: Pick<Place, 'budget' | 'range'>): (name: string) => string | undefined {
  return (name) => {
    const value = scope.get(name);
    if (value !== undefined) spend(value.length, place);
    return value;
  };
}

const expansionFailed = (message: string, range: SourceRange): BuildError =>
  new BuildError('EXPANSION_FAILED', message, { range, hint: 'give the variable a value with ARG, ENV or --build-arg' });

import {
  Alternation,
  type ILookaheadStrategy,
  type IProduction,
  LLkLookaheadStrategy,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  RepetitionMandatoryWithSeparator,
  RepetitionWithSeparator,
  type Rule,
  Terminal,
  type TokenType,
} from 'chevrotain';

type ForAlternation = Parameters<ILookaheadStrategy['buildLookaheadForAlternation']>[0];
type ForOptional = Parameters<ILookaheadStrategy['buildLookaheadForOptional']>[0];

/** The part of chevrotain's parser that its lookahead functions are called on. */
interface Parser {
  LA(howMuch: number): { readonly tokenTypeIdx: number };
}

/**
 * One token decides everywhere in our grammars, so a table of first tokens is all there is to look ahead. chevrotain's own way, for any
 * number of tokens, takes most of the time in which a parser is made, which every command would wait for. Validation stays chevrotain's.
 */
export class FirstTokens extends LLkLookaheadStrategy {
  readonly #productions = new Map<Rule, readonly IProduction[]>();

  override buildLookaheadForAlternation({ rule, prodOccurrence }: ForAlternation): () => number | undefined {
    const alternations = this.#productionsOf(rule).filter((each) => each instanceof Alternation);
    const found = alternations.find(({ idx }) => idx === prodOccurrence);
    const alternatives = found?.definition.map((each) => firstOf(definitionOf(each))) ?? [];
    const table: (number | undefined)[] = [];
    for (const [index, { tokens }] of alternatives.entries()) for (const token of tokens) enter(table, token, index);
    const empty = alternatives.findIndex(({ nullable }) => nullable);
    const otherwise = empty === -1 ? undefined : empty;
    return function choose(this: Parser) {
      return table[this.LA(1).tokenTypeIdx] ?? otherwise;
    } as () => number | undefined;
  }

  override buildLookaheadForOptional({ rule, prodOccurrence, prodType }: ForOptional): () => boolean {
    const Kind = kinds[prodType];
    const found = this.#productionsOf(rule)
      .filter((each) => each instanceof Kind)
      .find((each) => 'idx' in each && each.idx === prodOccurrence);
    const table: true[] = [];
    for (const token of found ? firstOf(definitionOf(found)).tokens : []) enter(table, token, true);
    return function begins(this: Parser) {
      return table[this.LA(1).tokenTypeIdx] === true;
    } as () => boolean;
  }

  #productionsOf(rule: Rule): readonly IProduction[] {
    const known = this.#productions.get(rule);
    if (known) return known;
    const all = collect(rule.definition);
    this.#productions.set(rule, all);
    return all;
  }
}

const kinds = {
  Option,
  Repetition,
  RepetitionMandatory,
  RepetitionMandatoryWithSeparator,
  RepetitionWithSeparator,
} as const;

interface First {
  readonly tokens: readonly TokenType[];
  readonly nullable: boolean;
}

/** What a sequence can begin with. Our grammars have no left recursion: chevrotain's validation, run in a test, would say so. */
function firstOf(sequence: readonly IProduction[]): First {
  const tokens: TokenType[] = [];
  for (const production of sequence) {
    const first = firstOfOne(production);
    tokens.push(...first.tokens);
    if (!first.nullable) return { tokens, nullable: false };
  }
  return { tokens, nullable: true };
}

function firstOfOne(production: IProduction): First {
  if (production instanceof Terminal) return { tokens: [production.terminalType], nullable: false };
  if (production instanceof NonTerminal) return firstOf(production.referencedRule.definition);
  if (production instanceof Alternation) {
    const all = production.definition.map((each) => firstOf(definitionOf(each)));
    return { tokens: all.flatMap(({ tokens }) => tokens), nullable: all.some(({ nullable }) => nullable) };
  }
  const { tokens, nullable } = firstOf(definitionOf(production));
  const mandatory = production instanceof RepetitionMandatory || production instanceof RepetitionMandatoryWithSeparator;
  return { tokens, nullable: nullable || !mandatory };
}

/** All productions of a rule, those inside of others too. */
function collect(sequence: readonly IProduction[]): IProduction[] {
  return sequence.flatMap((production) => [production, ...collect(definitionOf(production))]);
}

function definitionOf(production: IProduction): readonly IProduction[] {
  if (production instanceof NonTerminal) return [];
  return 'definition' in production ? (production.definition as IProduction[]) : [];
}

/** The first to claim a token keeps it, and a category stands for all that belong to it. */
function enter<Value>(table: (Value | undefined)[], { tokenTypeIdx = 0, categoryMatches = [] }: TokenType, value: Value): void {
  for (const index of [tokenTypeIdx, ...categoryMatches]) table[index] ??= value;
}

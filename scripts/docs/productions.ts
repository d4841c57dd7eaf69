import type { ISerializedGast } from 'chevrotain';
import { instructions } from '../../grammar/instructions/index.ts';
import { DockerfileParser } from '../../grammar/rules.ts';
import { Name } from '../../grammar/tokens.ts';

/** What a token stands for, for people. */
export interface Terminal {
  /** How diagrams show it. */
  readonly shown: string;
  /** Empty where what is shown says all. */
  readonly meaning: string;
}

/** Every token that the grammar asks for, but for the names of instructions. */
export const terminals: Readonly<Record<string, Terminal>> = {
  Shebang: { shown: 'shebang', meaning: 'a first line that begins with `#!`' },
  Directive: { shown: 'directive', meaning: '`# syntax=…`, `# escape=…` or `# check=…`, with nothing but its like before it' },
  UnknownName: { shown: 'unknown name', meaning: 'a first word that is no instruction; an error, and the rest of the line is left alone' },
  Flag: { shown: 'flag', meaning: '`--name` or `--name=value`' },
  FlagEnd: { shown: '"--"', meaning: '' },
  EndOfLine: { shown: 'end of line', meaning: 'a line break that no escape character stands before' },
  HeredocBody: { shown: 'heredoc body', meaning: 'the lines after one that has `<<NAME`, up to and with the line `NAME`' },
  Word: {
    shown: 'word',
    meaning: 'characters without white space between them; for ARG and `NAME=value` with quotes; for COPY and ADD also `<<NAME`',
  },
  Text: { shown: 'text', meaning: 'the rest of the (continued) line' },
  LegacyName: { shown: 'first word without "="', meaning: 'the name in `ENV NAME the value`' },
  CheckKind: { shown: 'CMD or NONE', meaning: 'a word; what else it is than these is an error' },
  ExecOpen: { shown: '"["', meaning: '' },
  ExecClose: { shown: '"]"', meaning: '' },
  Comma: { shown: '","', meaning: '' },
  JsonString: { shown: 'JSON string', meaning: 'as in RFC 8259' },
  ExecNotStrings: { shown: 'JSON array of other things', meaning: 'an error in exec form, or text: the instruction decides' },
};

/** The grammar's rules as data, with people's words for tokens, and the names of instructions in the place of their kinds. */
export const productions = (): ISerializedGast[] => new DockerfileParser({ validate: false }).getSerializedGastProductions().map(readable);

function readable(production: ISerializedGast): ISerializedGast {
  const { definition, separator } = production as { definition?: ISerializedGast[]; separator?: ISerializedGast };
  if (production.type === 'Terminal') return readableTerminal(production);
  return {
    ...production,
    ...(definition && production.type !== 'NonTerminal' && { definition: definition.map(readable).flatMap(flat) }),
    ...(separator && { separator: readable(separator) }),
  } as ISerializedGast;
}

/** An alternative that is nothing but a choice is part of the choice around it. */
function flat(production: ISerializedGast): ISerializedGast[] {
  if (production.type !== 'Alternative') return [production];
  const { definition } = production as ISerializedGast & { definition: ISerializedGast[] };
  const [only] = definition;
  if (definition.length !== 1 || only?.type !== 'Alternation') return [production];
  return (only as ISerializedGast & { definition: ISerializedGast[] }).definition;
}

function readableTerminal(terminal: ISerializedGast): ISerializedGast {
  const { name = '' } = terminal as { name?: string };
  const layout = Object.entries(Name).find(([, type]) => type.name === name)?.[0];
  if (layout === undefined || layout === 'unknown') {
    const known = terminals[name];
    if (!known) throw new TypeError(`the token "${name}" has no row in the table of terminals`);
    return labelled(known.shown);
  }
  const alternatives = instructions.filter((each) => each.layout === layout).map((each) => labelled(each.name));
  const [only] = alternatives;
  if (only && alternatives.length === 1) return only;
  return { type: 'Alternation', idx: 0, definition: alternatives } as ISerializedGast;
}

const labelled = (label: string): ISerializedGast => ({ type: 'Terminal', name: label, label, idx: 0 }) as ISerializedGast;

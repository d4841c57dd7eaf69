import type { ISerializedGast } from 'chevrotain';

/** What of a production counts here; chevrotain's type has one for each kind. */
interface Production {
  readonly type: string;
  readonly name?: string;
  readonly label?: string;
  readonly definition?: readonly ISerializedGast[];
  readonly separator?: ISerializedGast;
}

/** A rule in EBNF: `?` at most once, `*` any number of times, `+` at least once; tokens in capitals, quotes or angle brackets. */
export function ebnfRule(rule: ISerializedGast): string {
  const { name = '', definition = [] } = rule as Production;
  const only: Production | undefined = definition[0];
  const alternatives = definition.length === 1 && only?.type === 'Alternation' ? (only.definition ?? []).map((each) => text(each)) : [];
  if (alternatives.length > 1) return `${name} ::= ${alternatives.join(`\n${' '.repeat(name.length + 3)}| `)}`;
  return `${name} ::= ${sequence(definition)}`;
}

function text(production: ISerializedGast): string {
  const { type, name = '', label = '', definition = [], separator } = production as Production;
  switch (type) {
    case 'NonTerminal':
      return name;
    case 'Terminal':
      return /^(?:"|[A-Z]+$)/.test(label) ? label : `<${label}>`;
    case 'Alternative':
      return sequence(definition);
    case 'Alternation':
      return `(${definition.map(text).join(' | ')})`;
    case 'Option':
      return `${group(definition)}?`;
    case 'Repetition':
      return `${group(definition)}*`;
    case 'RepetitionMandatory':
      return `${group(definition)}+`;
    case 'RepetitionWithSeparator':
      return `(${sequence(definition)} (${separator ? text(separator) : ''} ${sequence(definition)})*)?`;
    default:
      throw new TypeError(`there is no way to write a "${type}"`);
  }
}

const sequence = (definition: readonly ISerializedGast[]): string => definition.map(text).join(' ');

function group(definition: readonly ISerializedGast[]): string {
  const only: Production | undefined = definition[0];
  const single = definition.length === 1 && (only?.type === 'Terminal' || only?.type === 'NonTerminal' || only?.type === 'Alternation');
  return single ? sequence(definition) : `(${sequence(definition)})`;
}

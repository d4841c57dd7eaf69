import { parseArgs } from 'node:util';
import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import type { Caller } from './caller.ts';
import type { Flag, Unavailable } from './flag.ts';

export interface Syntax<Options> {
  /** For messages: `cooper build`. */
  readonly command: string;
  readonly flags: readonly Flag<Options>[];
  readonly unavailable: readonly Unavailable[];
  /** Everything from the first word that is no option on belongs to somebody else: `cooper run IMAGE ls -l`. */
  readonly stopAtWord: boolean;
}

type Tokens = NonNullable<ReturnType<typeof parseArgs>['tokens']>;
type OptionToken = Extract<Tokens[number], { kind: 'option' }>;

/**
 * Sets what `args` say in `options` and returns the words that are no options. Throws UNKNOWN_OPTION for an option that the table does
 * not have, ARG_INVALID for a value that is missing or bad.
 */
export function parseFlags<Options>(args: readonly string[], syntax: Syntax<Options>, options: Options, caller: Caller): string[] {
  const words: string[] = [];
  for (const token of tokenize(args, syntax.flags)) {
    if (token.kind === 'option') apply(token, syntax, options, caller);
    if (token.kind !== 'positional') continue;
    if (syntax.stopAtWord) return args.slice(token.index);
    words.push(token.value);
  }
  return words;
}

function tokenize<Options>(args: readonly string[], flags: readonly Flag<Options>[]): Tokens {
  const options = Object.fromEntries(
    flags.map(({ name, short, value, optional }) => {
      return [name, { type: value === undefined || optional ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) }] as const;
    }),
  );
  // Not strict: its errors have no suggestion, and it refuses values that begin with a dash, as in `-e -x`.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function apply<Options>(token: OptionToken, syntax: Syntax<Options>, options: Options, caller: Caller): void {
  const flag = syntax.flags.find(({ name }) => name === token.name);
  const negated = flag ? undefined : syntax.flags.find(({ name, value }) => value === undefined && token.name === `no-${name}`);
  if (flag?.optional) flag.set(options, token.value, caller);
  else if (flag?.value !== undefined) flag.set(options, flagValue(token, flag.value), caller);
  else if (flag) flag.set(options, isOn(token), caller);
  else if (negated && negated.value === undefined) negated.set(options, !isOn(token), caller);
  else throw unknownOption(token, syntax);
}

function flagValue({ rawName, value, inlineValue }: OptionToken, placeholder: string): string {
  if (value === undefined) throw new BuildError('ARG_INVALID', `"${rawName}" needs a value: ${rawName} ${placeholder}`);
  // `-e=A=1` means what `-e A=1` does; `--env==A` has a value that begins with `=`.
  return inlineValue && !rawName.startsWith('--') ? value.replace(/^=/, '') : value;
}

function isOn({ rawName, value }: OptionToken): boolean {
  if (value === undefined || ['true', '1'].includes(value)) return true;
  if (['false', '0'].includes(value)) return false;
  throw new BuildError('ARG_INVALID', `"${rawName}" takes "true" or "false", not "${value}"`);
}

function unknownOption<Options>({ rawName, name }: OptionToken, { command, flags, unavailable }: Syntax<Options>): BuildError {
  const known = unavailable.find((option) => (rawName.startsWith('--') ? option.name === name : option.short === name));
  if (known) return new BuildError(known.code ?? 'UNKNOWN_OPTION', `"${command}" does not have "${rawName}" yet`, { hint: known.hint });
  const near = rawName.startsWith('--')
    ? nearest(
        name,
        [...flags, ...unavailable].map((option) => option.name),
      )
    : undefined;
  const hint = near ? `did you mean "--${near}"?` : `"${command} --help" lists the options`;
  return new BuildError('UNKNOWN_OPTION', `"${command}" has no option "${rawName}"`, { hint });
}

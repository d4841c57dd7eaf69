import { parseBoolean } from '../boolean.ts';
import { parseCsvLine } from '../csv.ts';
import type { Problem } from '../diagnostics.ts';
import { splitKeyValue } from '../key-values.ts';
import { nearest } from '../nearest.ts';
import { shorten } from './argument-count.ts';
import { warnOfEmptyCommand } from './commands.ts';
import { type InstructionSyntax, repeatable, required } from './syntax.ts';

export const run: InstructionSyntax = {
  name: 'RUN',
  layout: 'script',
  synopsis: 'RUN [flags] command or RUN [flags] ["program", "argument"...]',
  flags: {
    device: repeatable('device to make available'),
    mount: repeatable('what to mount while the command runs'),
    network: required('default, none or host'),
    security: required('sandbox or insecure'),
  },
  check(given, report) {
    warnOfEmptyCommand(run, given, report);
    for (const flag of given.flags) {
      const problem = problems[flag.name]?.(flag.text ?? '');
      if (problem) report({ code: 'FLAG_VALUE_INVALID', range: flag.range, ...problem });
    }
  },
};

type FlagProblem = Pick<Problem, 'message' | 'hint'>;

/** What is wrong with a value whatever its variables hold. The rest is found when the step is made. Source: BuildKit, `parseRunPostHooks`. */
const problems: Readonly<Record<string, (value: string) => FlagProblem | undefined>> = {
  network: (value) => notOneOf('network', value, ['default', 'none', 'host']),
  security: (value) => notOneOf('security', value, ['sandbox', 'insecure']),
  mount: (value) => {
    const fields = value === '' ? undefined : parseCsvLine(value);
    if (!fields) return notCsv(value);
    const from = fields.map((field) => /^from=(.*)$/is.exec(field)?.[1] ?? '').find((source) => /\$./s.test(source));
    if (from === undefined) return undefined;
    const hint = 'name a stage of that image instead: ARG before the first FROM, then FROM $IMAGE AS name';
    return { message: `variables are not expanded in "from=${shorten(from)}"`, hint };
  },
  device: (value) => {
    const fields = value === '' ? undefined : parseCsvLine(value);
    return fields ? deviceProblem(fields) : notCsv(value);
  },
};

function notOneOf(flag: string, value: string, known: readonly string[]): FlagProblem | undefined {
  if (known.includes(value)) return undefined;
  const near = nearest(value, known);
  const hint = near ? `did you mean "${near}"?` : `it is ${known.join(', ')}`;
  return { message: `"${shorten(value)}" is no value of "--${flag}"`, hint };
}

function notCsv(value: string): FlagProblem {
  if (value === '') return { message: 'the value is empty', hint: 'it is a list of name=value, with commas between' };
  return { message: `"${shorten(value)}" has a quote that is out of place`, hint: 'quote a whole field, and the flag as a whole as well' };
}

/** A name and `required`, in any order. Source: BuildKit, `ParseDevice`. */
function deviceProblem(fields: readonly string[]): FlagProblem | undefined {
  let name = '';
  for (const field of fields) {
    const { name: written, value } = splitKeyValue(field) ?? { name: field, value: undefined };
    const key = written.toLowerCase();
    if (key === 'required') {
      if (value === undefined || parseBoolean(value) !== undefined) continue;
      return { message: `"required" is true or false, not "${shorten(value)}"`, hint: 'write: required' };
    }
    if (key === 'name' && value !== undefined) {
      if (name !== '')
        return { message: `the device has two names, "${shorten(name)}" and "${shorten(value)}"`, hint: 'leave one of the two' };
      name = value;
    } else if (name === '') name = field;
    else return { message: `a device has no field "${shorten(field)}"`, hint: 'its fields are name and required' };
  }
  return undefined;
}

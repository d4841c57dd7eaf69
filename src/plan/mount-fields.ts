import { parseCsvLine } from './csv.ts';
import type { FlagValue } from './flags.ts';
import { expandAt, invalid, type Step } from './step.ts';
import { didYouMean } from './suggestion.ts';

/** The fields of one `--mount`, with one name for each thing, expanded. A field without a value has `undefined`. */
export type MountFields = ReadonlyMap<string, string | undefined>;

const otherNames: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

const keys: readonly string[] = [
  ...['type', 'from', 'source', 'target', 'readonly', 'readwrite', 'id', 'sharing', 'required', 'mode', 'uid', 'gid', 'size', 'env'],
  ...Object.keys(otherNames),
];

const withoutValue: readonly string[] = ['readonly', 'readwrite', 'required'];

/** Reads the value of `--mount`. Names are case-insensitive, values are expanded, all but `from`. The last of equal fields counts. */
export function readMountFields(step: Step, flag: FlagValue): MountFields {
  const line = parseCsvLine(flag.value);
  if (!line)
    throw invalid(step, `"${flag.value}" has a quote that is out of place`, {
      range: flag.range,
      hint: 'quote a whole field: "target=/a,b"',
    });
  return new Map(line.map((field) => readField(step, flag, field)));
}

function readField(step: Step, flag: FlagValue, field: string): [string, string | undefined] {
  const at = field.indexOf('=');
  const written = (at === -1 ? field : field.slice(0, at)).toLowerCase();
  const { range } = flag;
  if (!keys.includes(written)) {
    throw invalid(step, `a mount has no field "${written}"`, {
      range,
      hint: didYouMean(written, keys) ?? `its fields are ${keys.join(', ')}`,
    });
  }
  const name = (Object.hasOwn(otherNames, written) && otherNames[written]) || written;
  if (at === -1) {
    if (!withoutValue.includes(name))
      throw invalid(step, `the field "${written}" has no value`, { range, hint: `it is written "${written}=<value>"` });
    return [name, undefined];
  }
  const value = field.slice(at + 1);
  return [name, name === 'from' ? fixed(step, flag, value) : expandAt(step, value, range)];
}

function fixed(step: Step, { range }: FlagValue, from: string): string {
  if (!/\$./.test(from)) return from;
  throw invalid(step, 'variables are not expanded in "from"', {
    range,
    hint: 'name a stage of that image instead: ARG before the first FROM, then FROM $IMAGE AS name',
  });
}

/** The `from` of a `--mount`, read before the stage is lowered: it says which stages are needed. */
export function mountSourceName(value: string): string | undefined {
  const fields = (parseCsvLine(value) ?? []).map((field) => field.split(/=(.*)/s, 2));
  const type = fields.findLast(([name]) => name?.toLowerCase() === 'type')?.[1]?.toLowerCase() ?? 'bind';
  return type === 'bind' ? fields.findLast(([name]) => name?.toLowerCase() === 'from')?.[1] : undefined;
}

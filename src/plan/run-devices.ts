import { parseBoolean } from '../../grammar/boolean.ts';
import { parseCsvLine } from '../../grammar/csv.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { DevicesSpec, ExecSpec } from '../graph/spec.ts';
import { listFlag } from './flags.ts';
import type { Step } from './step.ts';

type Asked = DevicesSpec['asked'][number];

/** The devices of a RUN. Whether it may have them is asked here, where the place in the file is known, before anything is run. */
export function devicesOf(step: Step): Pick<ExecSpec, 'devices'> {
  const flags = listFlag(step, 'device');
  const [first] = flags;
  if (!first) return {};
  const asked = flags.map(({ value }) => parseDevice(value));
  try {
    return { devices: { asked, given: step.build.grantDevices(asked) } };
  } catch (cause) {
    if (!(cause instanceof BuildError)) throw cause;
    const { code, message, hint, notes } = cause;
    throw new BuildError(code, message, { range: first.range, hint, notes, cause });
  }
}

/** The parser has refused what is not of the form. Source: BuildKit, `ParseDevice`. */
function parseDevice(value: string): Asked {
  let name = '';
  let required = false;
  for (const field of parseCsvLine(value) ?? []) {
    const { name: key, value: text } = splitKeyValue(field) ?? { name: field, value: undefined };
    if (key.toLowerCase() === 'required') required = text === undefined || parseBoolean(text) === true;
    else name = key.toLowerCase() === 'name' && text !== undefined ? text : field;
  }
  return { name, required };
}

import { parseDuration } from '../../../grammar/duration.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import { textFlag } from '../flags.ts';
import { formatDuration, plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import { invalid, requireArgs, type Step } from '../step.ts';

const millisecond = 1e6;

/** HEALTHCHECK: NONE switches off what the base has, CMD replaces all of it. Zeros mean the default, and are left out of the config. */
export function lowerHealthcheck(step: Step): void {
  requireArgs(step, 1);
  const { state } = step;
  const check = step.instruction.args[0]?.toUpperCase() === 'NONE' ? noCheck() : commandCheck(step);
  const present = Object.entries(check).filter(([, value]) => value !== 0);
  state.config = { ...state.config, Healthcheck: Object.fromEntries(present) };
  addHistory(state, `HEALTHCHECK ${describe(check)}`);
}

function noCheck(): Required<Healthcheck> {
  return { Test: ['NONE'], Interval: 0, Timeout: 0, StartPeriod: 0, StartInterval: 0, Retries: 0 };
}

function commandCheck(step: Step): Required<Healthcheck> {
  const [, ...command] = step.instruction.args;
  return {
    Test: step.instruction.form === 'exec' ? ['CMD', ...command] : ['CMD-SHELL', command.join(' ')],
    Interval: durationFlag(step, 'interval'),
    Timeout: durationFlag(step, 'timeout'),
    StartPeriod: durationFlag(step, 'start-period'),
    StartInterval: durationFlag(step, 'start-interval'),
    Retries: retriesFlag(step),
  };
}

function durationFlag(step: Step, name: string): number {
  const flag = textFlag(step, name);
  if (!flag) return 0;
  const duration = parseDuration(flag.value);
  if (duration === undefined) {
    throw invalid(step, `"--${name}" is a duration, not "${flag.value}"`, { range: flag.range, hint: 'as in 30s, 1m30s or 500ms' });
  }
  if (duration !== 0 && duration < millisecond) throw invalid(step, `"--${name}" is at least 1ms, or 0`, { range: flag.range });
  return duration;
}

function retriesFlag(step: Step): number {
  const flag = textFlag(step, 'retries');
  if (!flag) return 0;
  const retries = /^\+?0*\d{1,10}$|^-0+$/.test(flag.value) ? Math.abs(Number(flag.value)) : Number.NaN;
  if (retries < 2 ** 31) return retries;
  throw invalid(step, `"--retries" is a number of 0 or more, not "${flag.value}"`, { range: flag.range });
}

/** Go's `%+v` of the struct. */
function describe({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries }: Required<Healthcheck>): string {
  const durations = Object.entries({ Interval, Timeout, StartPeriod, StartInterval }).map(
    ([name, value]) => `${name}:${formatDuration(value)}`,
  );
  return `{Test:${plainList(Test)} ${durations.join(' ')} Retries:${Retries}}`;
}

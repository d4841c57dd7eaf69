import { parseDuration } from '../../../grammar/duration.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import { textFlag } from '../flags.ts';
import { formatDuration, plainList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** HEALTHCHECK: NONE switches off what the base has, CMD replaces all of it. Zeros mean the default, and are left out of the config. */
export function lowerHealthcheck(step: Step): void {
  const { state } = step;
  const check = step.instruction.args[0] === 'NONE' ? noCheck() : commandCheck(step);
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

/** Nanoseconds. The parser has checked it. */
const durationFlag = (step: Step, name: string): number => parseDuration(textFlag(step, name)?.value ?? '') ?? 0;

/** `-0` is a zero too. */
const retriesFlag = (step: Step): number => Math.abs(Number(textFlag(step, 'retries')?.value ?? 0));

/** Go's `%+v` of the struct. */
function describe({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries }: Required<Healthcheck>): string {
  const durations = Object.entries({ Interval, Timeout, StartPeriod, StartInterval }).map(
    ([name, value]) => `${name}:${formatDuration(value)}`,
  );
  return `{Test:${plainList(Test)} ${durations.join(' ')} Retries:${Retries}}`;
}

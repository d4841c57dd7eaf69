import type { Flag } from '../ast.ts';
import type { Report } from '../diagnostics.ts';
import { parseDuration } from '../duration.ts';
import { requireArguments, shorten } from './argument-count.ts';
import { type InstructionSyntax, required } from './syntax.ts';

export const healthcheck: InstructionSyntax = {
  name: 'HEALTHCHECK',
  layout: 'health',
  synopsis: 'HEALTHCHECK [flags] CMD command or HEALTHCHECK NONE',
  flags: {
    interval: required('time between two checks'),
    retries: required('failures in a row that mean unhealthy'),
    'start-interval': required('time between two checks while starting'),
    'start-period': required('time in which failures do not count'),
    timeout: required('time that a check may take'),
  },
  ignoresFlags: ([kind]) => kind === 'NONE',
  check(given, report) {
    if (!requireArguments(healthcheck, 1, given, report)) return;
    const [kind = '', command] = given.args;
    const range = given.argRanges[0] ?? given.nameRange;
    const hint = `write: ${healthcheck.synopsis}`;
    const none = kind === 'NONE';
    if (!none && kind !== 'CMD') {
      report({ code: 'HEALTHCHECK_INVALID', message: `HEALTHCHECK has "${shorten(kind)}" where CMD or NONE is expected`, range, hint });
    } else if (none && given.args.length > 1) {
      report({ code: 'TOO_MANY_ARGUMENTS', message: 'HEALTHCHECK NONE takes no arguments', range: given.argRanges[1] ?? range, hint });
    } else if (!none && command === undefined) {
      report({ code: 'MISSING_ARGUMENT', message: 'HEALTHCHECK CMD has no command', range, hint });
    }
    if (!none) checkValues(given.flags, report);
  },
};

/** Durations are of a millisecond at least, or zero. Source: BuildKit, `parseOptInterval`. */
function checkValues(flags: readonly Flag[], report: Report): void {
  for (const { name, text = '', range } of flags) {
    if (text === '' || !Object.hasOwn(healthcheck.flags, name)) continue;
    const isValid = name === 'retries' ? isCount(text) : isInterval(text);
    if (isValid) continue;
    const message = `"${shorten(text)}" is no value of "--${name}"`;
    const hint = name === 'retries' ? 'it is a number, 0 or more' : 'it is a duration of 1ms or more, as in 30s, 1m30s or 500ms';
    report({ code: 'FLAG_VALUE_INVALID', message, range, hint });
  }
}

function isCount(text: string): boolean {
  return /^(?:\+?\d+|-0+)$/.test(text) && Number(text) < 2 ** 31;
}

function isInterval(text: string): boolean {
  const nanoseconds = parseDuration(text);
  return nanoseconds === 0 || (nanoseconds !== undefined && nanoseconds >= 1e6);
}

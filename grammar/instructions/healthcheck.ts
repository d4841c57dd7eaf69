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
  },
};

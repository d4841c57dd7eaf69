import { requireArguments } from './argument-count.ts';
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
    if (given.form === 'exec') requireArguments(run, 1, given, report);
  },
};

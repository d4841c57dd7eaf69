import type { Caller } from './caller.ts';
import { commands } from './commands.ts';
import { row, widthFor, wrap } from './help.ts';

const end = [
  '"cooper help COMMAND" shows the options of a command.',
  'Exit status: 0 done, 1 the build failed, 2 wrong usage, 125 an error of cooper\'s own, 130 interrupted; "cooper run" ends with the status ' +
    'of the container.',
];

/** What `cooper help` shows. */
export function overview(caller: Caller): string {
  const width = widthFor(caller);
  const rows = Object.entries(commands).map(([name, { summary }]) => row(name, summary, width));
  return `usage: cooper COMMAND [OPTIONS] ...

Builds OCI images from Dockerfiles.

commands:
${rows.join('\n')}

${end.map((text) => wrap(text, 0, width)).join('\n')}
`;
}

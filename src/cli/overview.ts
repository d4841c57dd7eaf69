import { commands } from './commands.ts';
import { row } from './help.ts';

/** What `cooper help` shows. */
export function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => row(name, summary));
  return `usage: cooper COMMAND [OPTIONS] ...

Builds OCI images from Dockerfiles.

commands:
${rows.join('\n')}

"cooper help COMMAND" shows the options of a command.
Exit status: 0 done, 1 the build failed, 2 wrong usage, 125 an error of cooper's own, 130 interrupted;
"cooper run" ends with the status of the container.
`;
}

import { defineCommand } from '../command.ts';
import { version } from '../version.ts';

export const command = defineCommand({
  name: 'version',
  summary: 'prints the version',
  operands: '',
  count: [0, 0],
  flags: [],
  defaults: () => ({}),
  run: async (_options, _words, { writeResult }) => {
    await writeResult(`cooper ${version}\n`);
    return 0;
  },
});

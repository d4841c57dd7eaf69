import { requireArguments } from './argument-count.ts';
import type { InstructionSyntax } from './syntax.ts';

export const volume: InstructionSyntax = {
  name: 'VOLUME',
  layout: 'list',
  synopsis: 'VOLUME path... or VOLUME ["path"...]',
  flags: {},
  check(given, report) {
    requireArguments(volume, 1, given, report);
    for (const [at, path] of given.args.entries()) {
      if (path.trim() !== '') continue;
      const range = given.argRanges[at] ?? given.nameRange;
      report({ code: 'MISSING_ARGUMENT', message: 'VOLUME has an empty path', range, hint: `write: ${volume.synopsis}` });
    }
  },
};

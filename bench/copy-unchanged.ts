import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';
import type { Builder } from './tools.ts';
import { baseName } from './workspace.ts';

const rounds = 7;
const directories = 500;
const filesPerDirectory = 100;

/** Figure (c): COPY of 50,000 files of about a kilobyte, and nothing has changed. */
export const copyUnchanged: Benchmark = async (workspace) => {
  const context = workspace.folder('copy-context');
  for (let directory = 0; directory < directories; directory++) {
    const path = join(context, `d${directory}`);
    mkdirSync(path);
    for (let file = 0; file < filesPerDirectory; file++) writeFileSync(join(path, `f${file}`), `${directory} ${file}\n`.repeat(128));
  }
  const dockerfile = workspace.file('copy.Dockerfile', `FROM ${baseName}\nCOPY . /srv/\n`);
  const contender = (builder: Builder): Contender => {
    builder.build(dockerfile, context, 'copy');
    const run = (): void => {
      const said = builder.build(dockerfile, context, 'copy');
      if (builder.cachedSteps(said) < 1) throw new Error(`${builder.name} did not use its cache:\n${said}`);
    };
    return { name: builder.name, run };
  };
  const measured = await measure([contender(workspace.cooper), contender(workspace.buildah)], { rounds });
  return [{ title: 'COPY of 50,000 files, nothing changed', unit: 'whole command', measured }];
};

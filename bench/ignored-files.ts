import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';
import { baseName } from './workspace.ts';

const rounds = 7;
const packages = 1000;
const filesPerPackage = 100;

/** COPY of a small context, alone and beside 100,000 files that .dockerignore leaves out, with a `!` for something else. They should cost nothing. */
export const ignoredFiles: Benchmark = async (workspace) => {
  const dockerfile = workspace.file('ignored.Dockerfile', `FROM ${baseName}\nCOPY . /srv/\n`);
  const contender = (name: string, isFull: boolean): Contender => {
    const context = workspace.folder(name.replaceAll(/\W+/g, '-'));
    mkdirSync(join(context, 'src'));
    for (let file = 0; file < 10; file++) writeFileSync(join(context, 'src', `f${file}`), `${name} ${file}\n`);
    writeFileSync(join(context, '.dockerignore'), 'node_modules\n!src/**\n!*.md\n');
    for (let at = 0; isFull && at < packages; at++) {
      const path = join(context, 'node_modules', `p${at}`);
      mkdirSync(path, { recursive: true });
      for (let file = 0; file < filesPerPackage; file++) writeFileSync(join(path, `f${file}`), '');
    }
    workspace.cooper.build(dockerfile, context, 'ignored');
    return { name, run: () => void workspace.cooper.build(dockerfile, context, 'ignored') };
  };
  const measured = await measure([contender('cooper, 10 files', false), contender('cooper, 10 files and 100,000 ignored', true)], {
    rounds,
  });
  return [{ title: 'COPY beside 100,000 ignored files, nothing changed', unit: 'whole command', measured }];
};

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';
import type { Builder } from './tools.ts';
import { baseName } from './workspace.ts';

const rounds = 21;

const steps = [
  `FROM ${baseName}`,
  'ENV MODE=production',
  'WORKDIR /srv/app',
  'COPY package.json ./',
  'RUN echo installed > installed',
  'COPY src ./src',
  'RUN cat src/a.txt src/b.txt > built',
  'RUN mkdir -p data && touch data/ready',
  'LABEL vendor=bench',
  'USER 1000:1000',
  'EXPOSE 8080',
  'CMD ["cat", "built"]',
];
/** Of them, those that make a layer. */
const layers = 6;

/** Figure (a): a Dockerfile of 12 steps is built again, and nothing has changed. */
export const cachedRebuild: Benchmark = async (workspace) => {
  const context = workspace.folder('cached-context');
  const source = workspace.folder('cached-context/src');
  writeFileSync(join(context, 'package.json'), '{}\n');
  for (const name of ['a', 'b']) writeFileSync(join(source, `${name}.txt`), `${name}\n`);
  const dockerfile = workspace.file('cached.Dockerfile', `${steps.join('\n')}\n`);
  const contender = (builder: Builder): Contender => {
    builder.build(dockerfile, context, 'cached');
    const run = (): void => {
      const said = builder.build(dockerfile, context, 'cached');
      if (builder.cachedSteps(said) < layers) throw new Error(`${builder.name} did not use its cache:\n${said}`);
    };
    return { name: builder.name, run };
  };
  const measured = await measure([contender(workspace.cooper), contender(workspace.buildah)], { rounds });
  return [{ title: '12 steps, nothing changed', unit: 'whole command', measured }];
};

import { join } from 'node:path';
import { build } from 'esbuild';
import type { Benchmark } from './benchmark.ts';
import type { Measured } from './measure.ts';
import { call } from './tools.ts';
import type { Workspace } from './workspace.ts';

const rounds = 21;

/** A Dockerfile of 1,000 lines: stages of 50 lines each, as they are written, with comments, continued lines and a heredoc. */
const lines = Array.from({ length: 20 }, (_, stage) => stageLines(stage)).flat();

/**
 * Figure (d): the parser's module is loaded, and a Dockerfile of 1,000 lines is parsed and planned: in a fresh process each time, as a command
 * does it, without a compile cache.
 */
export const parseLarge: Benchmark = async (workspace) => {
  if (lines.length !== 1000) throw new Error(`the Dockerfile has ${lines.length} lines`);
  const dockerfile = workspace.file('large.Dockerfile', `${lines.join('\n')}\n`);
  const parser = await bundle(workspace, 'parser', `export { parseDockerfile } from './grammar/parse.ts';`);
  const planner = await bundle(
    workspace,
    'planner',
    `export { parseDockerfile } from './grammar/parse.ts'; export { plan } from './src/plan/index.ts';`,
  );
  const load = { name: 'cooper', samplesMs: samples(() => sample('load', parser, dockerfile)) } satisfies Measured;
  const plan = { name: 'cooper', samplesMs: samples(() => sample('plan', planner, dockerfile)) } satisfies Measured;
  return [
    { title: "the parser's module", unit: 'load, with the making of the parser', measured: [load] },
    { title: 'a Dockerfile of 1,000 lines', unit: 'parse and plan, the first in a process', measured: [plan] },
  ];
};

function samples(take: () => number): readonly number[] {
  return Array.from({ length: rounds + 1 }, take).slice(1);
}

function sample(what: 'load' | 'plan', module: string, dockerfile: string): number {
  const said = call(process.execPath, [join(import.meta.dirname, 'parse-large-sample.ts'), what, module, dockerfile]);
  const ms = Number(said);
  if (!(ms > 0)) throw new Error(`the sample said "${said}"`);
  return ms;
}

/** As scripts/bundle.ts makes dist/. */
async function bundle(workspace: Workspace, name: string, contents: string): Promise<string> {
  const outfile = join(workspace.directory, `${name}.mjs`);
  await build({
    stdin: { contents, resolveDir: join(import.meta.dirname, '..'), loader: 'ts' },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
  });
  return outfile;
}

function stageLines(stage: number): readonly string[] {
  const packages = Array.from({ length: 14 }, (_, index) => `      package-${stage}-${index} \\`);
  return [
    `# stage${stage} is the ${stage}th of its kind`,
    `FROM scratch AS stage${stage}`,
    '',
    '# what it is made of',
    `ARG VERSION=1.${stage}`,
    `ARG URL="https://example.com/\${VERSION}/source.tar.gz"`,
    `ENV PATH="/opt/stage${stage}/bin:$PATH" LANG=C.UTF-8`,
    `ENV STAGE=${stage} NAME="stage \${STAGE:-none}"`,
    `WORKDIR /srv/stage${stage}`,
    '',
    '# packages, one a line',
    'RUN --mount=type=cache,target=/var/cache/apt \\',
    '    apt-get update && \\',
    '    apt-get install --yes --no-install-recommends \\',
    ...packages,
    '    && rm -rf /var/lib/apt/lists/*',
    '',
    `COPY --chown=1000:1000 package.json package-lock.json ./`,
    `COPY --from=${stage === 0 ? 'scratch-image' : `stage${stage - 1}`} /out/ /in/`.replace('--from=scratch-image /out/', 'out/'),
    'RUN npm ci',
    'COPY src ./src',
    `RUN ["make", "all", "STAGE=${stage}"]`,
    '',
    'RUN <<EOF',
    'set -e',
    'for file in *; do',
    '  echo "$file"',
    'done',
    'EOF',
    '',
    `LABEL org.example.stage="${stage}" \\`,
    `      org.example.version="$VERSION"`,
    'EXPOSE 8080/tcp',
    'USER 1000:1000',
    'HEALTHCHECK --interval=30s CMD curl -f http://localhost:8080/ || exit 1',
    `ENTRYPOINT ["/srv/stage${stage}/run"]`,
    'CMD ["--verbose"]',
  ];
}

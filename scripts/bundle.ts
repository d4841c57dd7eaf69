// Makes dist/: the command (main.js), the library (index.js), the chunks that both share, and the library's types.
// Splitting keeps what is imported dynamically (the registry client, archives) out of the start of every command.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { bundleSources, sourcesDigest } from './sources.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Packages in CommonJS ask for Node's modules by `require`. */
const requireBanner = "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);";

/**
 * A package in CommonJS that is imported dynamically would have a default export and no names: what Node gives and esbuild does not.
 * So packages are imported statically, by a module of ours that is imported dynamically where it is heavy.
 */
const staticPackages: Plugin = {
  name: 'static-packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ kind, path }) => {
      if (kind !== 'dynamic-import' || path.startsWith('node:')) return undefined;
      return { errors: [{ text: `"${path}" is imported dynamically: do so with a module of ours that imports it statically` }] };
    });
  },
};

/** Built aside and moved in file by file, so that a command that starts meanwhile finds whole files. */
async function bundle(): Promise<void> {
  const aside = join(dist, 'new');
  rmSync(aside, { recursive: true, force: true });
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/cli/main.ts', index: 'src/index.ts' },
    outdir: aside,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunk-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    logLevel: 'warning',
    plugins: [staticPackages],
    banner: { js: requireBanner },
    write: false,
  });
  mkdirSync(aside, { recursive: true });
  for (const { path, text } of outputFiles) writeFileSync(path, withoutNeedlessRequire(text));
  mkdirSync(dist, { recursive: true });
  const old = readdirSync(dist).filter((name) => /\.js(\.LEGAL\.txt)?$/.test(name));
  const made = readdirSync(aside);
  // Chunks first: whoever starts from the new main.js finds all of them.
  for (const name of made.toSorted((a) => (a.startsWith('chunk-') ? -1 : 1))) renameSync(join(aside, name), join(dist, name));
  for (const name of old.filter((each) => !made.includes(each))) rmSync(join(dist, name));
  rmSync(aside, { recursive: true });
}

/** Making a `require` takes a third of a millisecond, and there are dozens of chunks. */
function withoutNeedlessRequire(text: string): string {
  const rest = text.startsWith(requireBanner) ? text.slice(requireBanner.length) : text;
  return /\brequire\b/.test(rest) ? text : rest;
}

function makeTypes(): void {
  rmSync(join(dist, 'types'), { recursive: true, force: true });
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { status } = spawnSync(tsc, ['-p', 'scripts/tsconfig.types.json'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('tsc does not give the types of src/index.ts');
}

// Named before the sources are read: an edit in the meantime leaves a bundle that counts as stale, not one that counts as fresh.
const digest = sourcesDigest(root, bundleSources);
await bundle();
makeTypes();
writeFileSync(join(dist, 'bundle.stamp'), `${digest}\n`);

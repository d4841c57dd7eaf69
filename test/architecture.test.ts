import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** What each folder may import besides itself and the ground floor (`src/oci`, `src/diagnostics`), and why it is no more. ARCHITECTURE.md in data. */
const rules: Readonly<Record<string, { may: readonly string[]; why: string }>> = {
  grammar: { may: [], why: 'the parser is a library of its own: text in, tree and diagnostics out' },
  'src/oci': { may: ['src/diagnostics'], why: 'the words of the specification know nobody; they may say what is wrong with a text' },
  'src/diagnostics': { may: [], why: 'errors are known to all and know nobody' },
  'src/graph': { may: [], why: 'plain data: it can be printed and compared' },
  'src/plan': {
    may: ['grammar', 'src/context', 'src/graph', 'src'],
    why: 'plans without a store, a worker or a registry: it asks an ImageResolver; how references to remotes read it has from the context',
  },
  'src/context': {
    may: ['src/registry'],
    why: "reads what the user wrote, from URLs by the registry's HTTP; the worker that walks it is not its matter",
  },
  'src/solve': { may: ['src/graph', 'src/progress'], why: 'schedules ops: it knows no instruction, no worker and no store' },
  'src/execute': {
    may: [
      'src/context',
      'src/devices',
      'src/graph',
      'src/plan',
      'src/progress',
      'src/registry',
      'src/solve',
      'src/store',
      'src/worker',
      'src',
    ],
    why: 'does the work of vertices; it does not know who asked',
  },
  'src/worker': { may: [], why: 'carries messages, and does not know what they are for' },
  'src/image': { may: ['src/plan'], why: 'makes an image of layers; where they are kept is not its matter' },
  'src/store': { may: [], why: 'keeps bytes by digest and name: no Dockerfile, no graph' },
  'src/registry': { may: [], why: 'speaks to registries: no graph, no worker' },
  'src/export': { may: ['src/image', 'src/registry', 'src/store', 'src/worker', 'src'], why: 'writes images: no graph' },
  'src/secret': { may: [], why: 'knows forms of secrets, and what texts are; whose they are is not its matter' },
  'src/cache-mounts': {
    may: ['src/export', 'src/graph', 'src/image', 'src/progress', 'src/registry', 'src/store', 'src/worker', 'src'],
    why: 'carries cache mounts between stores: it does not know which step uses them',
  },
  'src/disk-usage': { may: ['src/store', 'src/worker'], why: 'says what a store holds, and what may go: no Dockerfile, no registry' },
  'src/devices': { may: ['src'], why: 'reads what devices this machine describes; who gets them is not its matter' },
  'src/ssh': { may: ['src/context'], why: 'answers for keys; who asks is not its matter' },
  'src/progress': { may: [], why: 'draws events, and does not know who made them' },
  src: { may: ['*'], why: 'build.ts, run.ts and what they share put the folders together; the command line stays outside' },
  'src/cli': { may: ['*', 'src'], why: 'the top: nobody imports it' },
};

/** Files of `src` itself that the folders below it know: types of what a caller asks for. */
const sharedFiles = ['src/build-options.ts'];

/** The folders that know a package. */
const packages: Readonly<Record<string, readonly string[]>> = {
  chevrotain: ['grammar'],
  'p-limit': ['src/solve', 'src/execute', 'src/registry', 'src/export', 'src/store', 'src'],
  'tar-stream': ['src/context', 'src/export', 'src/store', 'src/image'],
  undici: ['src/registry'],
  'xxhash-wasm': ['src/store', 'src/context', 'src/execute', 'src/graph'],
};

const ground = ['src/oci', 'src/diagnostics'];
const files = globSync(['grammar/**/*.ts', 'src/**/*.ts'], { cwd: root }).toSorted();
const text = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));

/** `grammar`, `src/plan`, or `src` for the files that lie in it directly. */
function folderOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'src' && !second.endsWith('.ts') ? `src/${second}` : top;
}

/** Everything that a file imports, statically or not. Type imports count: they are knowledge too. */
function importsOf(source: string): string[] {
  const pattern = /^(?:import|export)\b[^;]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function forbidden(file: string, specifier: string): string | undefined {
  const from = folderOf(file);
  const rule = rules[from];
  if (!rule) return `${file}: "${from}" has no row in the table of this test`;
  if (!specifier.startsWith('.')) return forbiddenPackage(file, from, specifier);
  const target = relative(root, join(root, dirname(file), specifier));
  const to = folderOf(target);
  if (to === from || (ground.includes(to) && !ground.includes(from))) return undefined;
  if (to === 'src' && from !== 'src/cli' && !sharedFiles.includes(target))
    return `${file} imports ${target}: only types of options are shared`;
  if (rule.may.includes(to) || (rule.may.includes('*') && to !== 'src/cli')) return undefined;
  return `${file} imports ${target}: ${rule.why}`;
}

function forbiddenPackage(file: string, from: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:'))
    return builtinModules.includes(specifier.slice(5)) ? undefined : `${file} imports ${specifier}, which Node lacks`;
  return packages[specifier]?.includes(from) ? undefined : `${file} imports the package "${specifier}"`;
}

test('imports run in one direction', () => {
  const wrong = files.flatMap((file) => importsOf(text.get(file) ?? '').map((specifier) => forbidden(file, specifier)));
  assert.deepEqual(
    wrong.filter((each) => each !== undefined),
    [],
  );
});

test('the command line alone reads the arguments, the environment and the terminal', () => {
  const reads = /\bprocess\.(argv|env|stdin|stdout|stderr)\b/;
  const wrong = files.filter(
    (file) => !file.startsWith('src/cli/') && reads.test((text.get(file) ?? '').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
  );
  assert.deepEqual(wrong, []);
});

test('no file is longer than 400 lines', () => {
  const tests = globSync(['test/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'], { cwd: root });
  const long = [...files, ...tests].filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 401);
  assert.deepEqual(long, []);
});

for (const { name, source, want } of [
  { name: 'a static import', source: "import { a } from './a.ts';", want: ['./a.ts'] },
  { name: 'an import of several lines', source: "import {\n  a,\n  b,\n} from './a.ts';", want: ['./a.ts'] },
  { name: 'a type import', source: "import type { A } from '../a.ts';", want: ['../a.ts'] },
  { name: 'an import for its effect', source: "import './a.ts';", want: ['./a.ts'] },
  { name: 'a re-export', source: "export * from './a.ts';", want: ['./a.ts'] },
  { name: 'a dynamic import', source: "const a = await import('./a.ts');", want: ['./a.ts'] },
  { name: 'an import type expression', source: "let a: import('./a.ts').A;", want: ['./a.ts'] },
]) {
  test(`the test sees ${name}`, () => assert.deepEqual(importsOf(source), want));
}

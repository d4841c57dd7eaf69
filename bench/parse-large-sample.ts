// One sample of parse-large.ts, in a process of its own: `load MODULE` or `plan MODULE DOCKERFILE`. Prints milliseconds.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { parseDockerfile } from '../grammar/parse.ts';
import type { plan } from '../src/plan/index.ts';

interface Module {
  readonly parseDockerfile: typeof parseDockerfile;
  readonly plan: typeof plan;
}

const [what = '', path = '', dockerfile = ''] = process.argv.slice(2);
const text = readFileSync(dockerfile, 'utf8');
const { signal } = new AbortController();

const start = performance.now();
const module: Module = await import(pathToFileURL(path).href);
const loaded = performance.now();
if (what === 'load') {
  console.log(loaded - start);
} else {
  const parsed = module.parseDockerfile(text);
  const resolver = { resolve: () => Promise.reject(new Error('there is nothing to resolve')) };
  const { vertices } = await module.plan(parsed, { file: 'Dockerfile', text }, {}, resolver, signal);
  if (parsed.diagnostics.length > 0 || vertices.length < 100) throw new Error('this is not the plan that was asked for');
  console.log(performance.now() - loaded);
}

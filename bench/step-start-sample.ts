// `step-start-sample.ts ROOT BASE [ROUNDS]`: starts a worker on a store, copies BASE into a layer, runs a program on it again and again that says
// what time it is, and prints JSON: milliseconds from each request until the builder hears that the program was executed, until the program's own
// first word, and until the answer. Whoever runs it says in which mode that is.

import type { SandboxParams } from '../src/worker/protocol.ts';
import { Worker } from '../src/worker/worker.ts';

const [root = '', base = '', rounds = '100', binary] = process.argv.slice(2);
/** This process is new: its own code runs for the first time, too. */
const warmUps = 20;

await using worker = await Worker.start({ root, ...(binary && { binary }) });
await worker.call('handle.open', { handle: 'base', path: base, access: 'read' });
const { diffID } = await worker.call('file.copy', {
  parent: [],
  selections: [{ source: { kind: 'handle', handle: 'base', ignore: [] }, sources: ['/'], exclude: [], parents: false, unpack: false }],
  destination: '/',
  attributes: {},
  link: false,
  form: 'none',
  snapshot: true,
});
const params: SandboxParams = {
  root: [diffID],
  argv: ['/bin/sh', '-c', 'echo $EPOCHREALTIME'],
  env: ['PATH=/bin'],
  cwd: '/',
  user: '',
  mounts: [],
  network: 'default',
  hostname: 'bench',
  commit: true,
  stdin: false,
};
const startsMs: number[] = [];
const wordsMs: number[] = [];
const endsMs: number[] = [];
for (let round = -warmUps; round < Number(rounds); round++) {
  const begin = performance.now();
  let startedMs = 0;
  let word = '';
  const { exitCode } = await worker.call('sandbox.run', params, {
    onEvent: ({ type }) => {
      if (type === 'started') startedMs = performance.now() - begin;
    },
    onData: (payload) => {
      word += payload.subarray(1).toString();
    },
  });
  const endedMs = performance.now() - begin;
  const wordMs = Number(word) * 1000 - performance.timeOrigin - begin;
  if (exitCode !== 0 || startedMs === 0 || !(wordMs > 0)) throw new Error(`the program ended with ${exitCode}`);
  if (round < 0) continue;
  startsMs.push(startedMs);
  wordsMs.push(wordMs);
  endsMs.push(endedMs);
}
process.stdout.write(JSON.stringify({ mode: worker.info.mode, startsMs, wordsMs, endsMs }));

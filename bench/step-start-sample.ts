// `step-start-sample.ts ROOT BASE [ROUNDS]`: starts a worker on a store, copies BASE into a layer, runs /bin/true on it again and again, and prints
// JSON: milliseconds from each request to the start of the program, and to its end. Whoever runs it says in which mode that is.

import type { SandboxParams } from '../src/worker/protocol.ts';
import { Worker } from '../src/worker/worker.ts';

const [root = '', base = '', rounds = '100', binary] = process.argv.slice(2);
const warmUps = 5;

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
  argv: ['/bin/true'],
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
const endsMs: number[] = [];
for (let round = -warmUps; round < Number(rounds); round++) {
  const begin = performance.now();
  let startedMs = 0;
  const { exitCode } = await worker.call('sandbox.run', params, {
    onEvent: ({ type }) => {
      if (type === 'started') startedMs = performance.now() - begin;
    },
  });
  const endedMs = performance.now() - begin;
  if (exitCode !== 0 || startedMs === 0) throw new Error(`the program ended with ${exitCode}`);
  if (round < 0) continue;
  startsMs.push(startedMs);
  endsMs.push(endedMs);
}
process.stdout.write(JSON.stringify({ mode: worker.info.mode, startsMs, endsMs }));

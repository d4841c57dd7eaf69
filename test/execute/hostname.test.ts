import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyboxStage, makeBench } from '../support/library.ts';

const dockerfile = `${busyboxStage}FROM base\nRUN hostname && head -n 1 /etc/hosts\n`;

test('RUN has the name of a host that the build gives, else that of BuildKit', async () => {
  await using bench = await makeBench({ Dockerfile: dockerfile });
  const first = await bench.built();
  assert.match(first.output, /^buildkitsandbox\n127\.0\.0\.1\tlocalhost buildkitsandbox$/m);
  const named = await bench.built({ buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'other' } });
  assert.match(named.output, /^other\n127\.0\.0\.1\tlocalhost other$/m);
  const again = await bench.built({ buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'other' } });
  assert.deepEqual(again.ran, []);
});

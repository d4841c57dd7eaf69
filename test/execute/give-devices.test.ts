import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { giveDevices } from '../../src/execute/exec-devices.ts';
import { Worker } from '../../src/worker/worker.ts';
import { temporaryFolder } from '../support/store.ts';

test('what a device shows of the machine is opened once for a worker, and again where it was not there', async () => {
  await using folder = await temporaryFolder();
  await using worker = await Worker.start({ root: join(folder.path, 'store') });
  const hostPath = join(folder.path, 'driver');
  const { signal } = new AbortController();
  const give = () => giveDevices({ nodes: [], mounts: [{ hostPath, path: '/driver', readonly: true }] }, worker, signal);
  await assert.rejects(give(), /driver/);
  await mkdir(hostPath);
  const [first, second] = [await give(), await give()];
  assert.deepEqual(first.mounts, [{ type: 'bind', target: '/driver', readonly: true, handle: `device read ${hostPath}`, source: '/' }]);
  assert.deepEqual(second, first);
});

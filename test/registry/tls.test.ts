import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseReference } from '../../src/oci/reference.ts';
import { Registry } from '../../src/registry/registry.ts';
import { withCode } from '../support/errors.ts';
import { temporaryFolder } from '../support/store.ts';

test('a certificate that is not trusted is no reason to go on without one', async () => {
  await using folder = await temporaryFolder();
  const [key, cert] = [join(folder.path, 'key'), join(folder.path, 'cert')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ]);
  let requests = 0;
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) => {
    requests++;
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const registry = new Registry({ environment: {} });
  try {
    const asked = registry.document(parseReference(`127.0.0.1:${address.port}/x`), new AbortController().signal);
    await assert.rejects(asked, (error: Error & { hint?: string }) => {
      assert.match(error.hint ?? '', /NODE_EXTRA_CA_CERTS/);
      return withCode('REGISTRY_UNREACHABLE', /self-signed/)(error);
    });
    assert.equal(requests, 0);
  } finally {
    await registry.close();
    server.close();
  }
});

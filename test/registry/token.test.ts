import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credentials } from '../../src/registry/credentials.ts';
import { withCode } from '../support/errors.ts';
import { pull } from '../support/odd-pull.ts';
import { type Answer, errors, status, whole } from '../support/odd-registry.ts';

/** A registry with a token server of its own. `grant` answers for the token; the registry wants `Bearer good`. */
function bearer(grant: Answer, forms: string[] = []): Answer {
  return (asked) => {
    const { request, path } = asked;
    if (path.startsWith('/token')) {
      return void request.on('data', (chunk) => forms.push(String(chunk))).on('end', () => grant(asked));
    }
    if (request.headers.authorization === 'Bearer good') return asked.serve();
    const challenge = `Bearer realm="http://${request.headers.host}/token?x=1",service="the service",scope="repository:app:pull"`;
    return status(401, '', { 'www-authenticate': challenge })(asked);
  };
}

test('a token is asked for once, for what is to be done', async () => {
  const { requests } = await pull(bearer(whole('{"token":"good","expires_in":300}')));
  const asked = requests.filter((line) => line.includes('/token'));
  assert.deepEqual(asked, ['GET /token?x=1&service=the+service&scope=repository%3Aapp%3Apull -']);
});

test('a password goes to the token server, and the token to the registry', async () => {
  const credentials: Credentials = { kind: 'password', username: 'user', password: 'secret' };
  const { requests } = await pull(bearer(whole('{"access_token":"good"}')), { credentials });
  for (const line of requests) {
    assert.equal(line.includes('Basic'), line.includes('/token'), line);
  }
});

test('a refresh token is posted', async () => {
  const forms: string[] = [];
  await pull(bearer(whole('{"access_token":"good"}'), forms), { credentials: { kind: 'identity', token: 'refresh' } });
  assert.deepEqual(Object.fromEntries(new URLSearchParams(forms.join(''))), {
    grant_type: 'refresh_token',
    client_id: 'cooper',
    refresh_token: 'refresh',
    service: 'the service',
    scope: 'repository:app:pull',
  });
});

for (const { name, grant, message } of [
  {
    name: 'refuses',
    grant: status(401, errors('UNAUTHORIZED', 'wrong password')),
    message: /answered 401 \(UNAUTHORIZED: wrong password\)/,
  },
  { name: 'gives a bad token', grant: whole('{"token":"bad"}'), message: /refuses these credentials|answered 401/ },
  { name: 'gives no token', grant: whole('{}'), message: /gave no token/ },
  { name: 'gives no JSON', grant: whole('hello'), message: /gave no token/ },
  { name: 'gives a token with a line end', grant: whole('{"token":"a\\r\\nx: y"}'), message: /gave no token/ },
]) {
  test(`a token server ${name}`, () => assert.rejects(pull(bearer(grant)), withCode('REGISTRY_AUTH', message)));
}

for (const realm of [
  'ftp://127.0.0.1/token',
  'file:///etc/passwd',
  'token',
  // In the clear to another host, whoever the registry is.
  'http://192.0.2.1/token',
  'http://token.invalid/token',
  'http://127.0.0.1.invalid/token',
  'http://127.0.0.1@192.0.2.1/token',
  'http://[::ffff:192.0.2.1]/token',
]) {
  test(`a token server must be one that can be trusted: ${realm}`, async () => {
    const credentials: Credentials = { kind: 'password', username: 'user', password: 'secret' };
    const answer = status(401, '', { 'www-authenticate': `Bearer realm="${realm}"` });
    await assert.rejects(pull(answer, { credentials }), withCode('REGISTRY_AUTH', /cannot be trusted/));
  });
}

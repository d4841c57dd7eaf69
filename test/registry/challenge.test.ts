import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenge } from '../../src/registry/challenge.ts';
import { retryAfter } from '../../src/registry/retry.ts';

// Forms of RFC 9110, 11.6.1, and headers that real registries send.
for (const { name, header, want } of [
  { name: 'basic', header: 'Basic realm="Registry Realm"', want: { scheme: 'basic' } },
  { name: 'basic without a realm', header: 'basic', want: { scheme: 'basic' } },
  {
    name: 'Docker Hub',
    header: 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull"',
    want: { scheme: 'bearer', realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scopes: ['repository:library/a:pull'] },
  },
  {
    name: 'several scopes, spaces around',
    header: 'bearer  realm = "https://a.example/t" , scope="a:b:pull c:d:push,pull"',
    want: { scheme: 'bearer', realm: 'https://a.example/t', scopes: ['a:b:pull', 'c:d:push,pull'] },
  },
  {
    name: 'a quoted quote, a comma in quotes, a bare value',
    header: 'Bearer realm="https://a.example/?q=\\"x,y\\"", service=s',
    want: { scheme: 'bearer', realm: 'https://a.example/?q="x,y"', service: 's', scopes: [] },
  },
  {
    name: 'bearer after basic',
    header: 'Basic realm="x", Bearer realm="https://a.example/t"',
    want: { scheme: 'bearer', realm: 'https://a.example/t', scopes: [] },
  },
  { name: 'basic after one that is not known', header: 'Negotiate, Basic realm="x"', want: { scheme: 'basic' } },
  { name: 'bearer without a realm', header: 'Bearer service="x"', want: undefined },
  { name: 'nothing', header: '', want: undefined },
  { name: 'noise', header: '"""===,,,', want: undefined },
  { name: 'a quote that does not end', header: 'Bearer realm="https://a.example', want: undefined },
] as const) {
  test(`challenge: ${name}`, () => assert.deepEqual(parseChallenge(header), want));
}

test('a long header takes no long time', () => {
  for (const text of ['a', ',', '"', '\\', 'a=', 'a="', ' ']) parseChallenge(`Bearer realm="${text.repeat(100_000)}`);
});

const now = Date.parse('2024-01-01T00:00:00Z');
for (const [value, want] of [
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  ['Mon, 01 Jan 2024 00:00:10 GMT', 10_000],
  ['Sun, 31 Dec 2023 00:00:00 GMT', 0],
  ['soon', undefined],
  ['-1', undefined],
] as const) {
  test(`Retry-After: ${value}`, () => assert.equal(retryAfter(value, now), want));
}

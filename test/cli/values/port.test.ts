import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePort } from '../../../src/cli/values/port.ts';

for (const { text, want } of [
  { text: '8080:80', want: { hostIP: '0.0.0.0', hostPort: 8080, port: 80 } },
  { text: '8080:80/tcp', want: { hostIP: '0.0.0.0', hostPort: 8080, port: 80 } },
  { text: '127.0.0.1:8080:80', want: { hostIP: '127.0.0.1', hostPort: 8080, port: 80 } },
  { text: '[::1]:8080:80', want: { hostIP: '::1', hostPort: 8080, port: 80 } },
  { text: ':8080:80', want: { hostIP: '0.0.0.0', hostPort: 8080, port: 80 } },
  { text: '65535:1', want: { hostIP: '0.0.0.0', hostPort: 65535, port: 1 } },
  { text: '53:53/udp', want: { hostIP: '0.0.0.0', hostPort: 53, port: 53, protocol: 'udp' } },
  { text: '80', want: { hostIP: '0.0.0.0', hostPort: 0, port: 80 } },
  { text: '80/udp', want: { hostIP: '0.0.0.0', hostPort: 0, port: 80, protocol: 'udp' } },
  { text: '127.0.0.1::80', want: { hostIP: '127.0.0.1', hostPort: 0, port: 80 } },
  { text: '[::1]::80', want: { hostIP: '::1', hostPort: 0, port: 80 } },
] as const) {
  test(`parsePort: ${text}`, () => assert.deepEqual(parsePort(text), { protocol: 'tcp', ...want }));
}

for (const { text, code } of [
  { text: '', code: 'ARG_INVALID' },
  { text: '0:80', code: 'ARG_INVALID' },
  { text: '80:65536', code: 'ARG_INVALID' },
  { text: '80:x', code: 'ARG_INVALID' },
  { text: '80:80:80:80', code: 'ARG_INVALID' },
  { text: '::1:80:80', code: 'ARG_INVALID' },
  { text: 'localhost:80:80', code: 'ARG_INVALID' },
  { text: '80:80/xyz', code: 'ARG_INVALID' },
  { text: '80:80/sctp', code: 'UNSUPPORTED' },
  { text: 'x', code: 'ARG_INVALID' },
  { text: '80-90:80-90', code: 'UNSUPPORTED' },
] as const) {
  test(`parsePort refuses: ${text || 'nothing'}`, () => assert.throws(() => parsePort(text), { name: 'BuildError', code }));
}

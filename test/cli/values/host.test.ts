import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHost } from '../../../src/cli/values/host.ts';

// Source: buildx 0.36, build/utils.go, `toBuildkitExtraHosts`, and its utils_test.go; names in lower case as BuildKit reads them.
for (const { text, want } of [
  { text: 'db:10.0.0.5', want: [{ name: 'db', ip: '10.0.0.5' }] },
  { text: 'db=10.0.0.5', want: [{ name: 'db', ip: '10.0.0.5' }] },
  { text: 'Db.Local:10.0.0.5', want: [{ name: 'db.local', ip: '10.0.0.5' }] },
  { text: 'v6:::1', want: [{ name: 'v6', ip: '::1' }] },
  { text: 'v6=::1', want: [{ name: 'v6', ip: '::1' }] },
  { text: 'v6=[::1]', want: [{ name: 'v6', ip: '::1' }] },
  { text: 'v6:[2001:db8::1]', want: [{ name: 'v6', ip: '2001:db8::1' }] },
  { text: 'v4=[10.0.0.5]', want: [{ name: 'v4', ip: '10.0.0.5' }] },
  {
    text: 'both=10.0.0.5,::1',
    want: [
      { name: 'both', ip: '10.0.0.5' },
      { name: 'both', ip: '::1' },
    ],
  },
]) {
  test(`--add-host ${text}`, () => assert.deepEqual(parseHost(text), want));
}

for (const { text, code, message } of [
  { text: 'db', code: 'ARG_INVALID', message: /is not a name and an address/ },
  { text: 'db:', code: 'ARG_INVALID', message: /is not a name and an address/ },
  { text: ':10.0.0.5', code: 'ARG_INVALID', message: /is not a name and an address/ },
  { text: 'db:10.0.0', code: 'ARG_INVALID', message: /"10.0.0", which is no IP address/ },
  { text: 'db:10.0.0.256', code: 'ARG_INVALID', message: /which is no IP address/ },
  { text: 'db:fe80::1%eth0', code: 'ARG_INVALID', message: /which is no IP address/ },
  { text: 'db=[]', code: 'ARG_INVALID', message: /which is no IP address/ },
  { text: 'db=10.0.0.5,', code: 'ARG_INVALID', message: /which is no IP address/ },
  { text: 'a\nb=10.0.0.5', code: 'ARG_INVALID', message: /cannot stand in \/etc\/hosts/ },
  { text: 'a b:10.0.0.5', code: 'ARG_INVALID', message: /cannot stand in \/etc\/hosts/ },
  { text: 'db:host-gateway', code: 'UNSUPPORTED', message: /there is no daemon/ },
]) {
  test(`--add-host refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseHost(text), { name: 'BuildError', code, message });
  });
}

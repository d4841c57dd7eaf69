import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCall } from '../../../src/cli/values/call.ts';
import { withCode } from '../../support/errors.ts';

for (const { text, want } of [
  { text: 'check', want: { method: 'check', json: false, ignoreStatus: false } },
  { text: 'lint', want: { method: 'check', json: false, ignoreStatus: false } },
  { text: 'outline,format=json', want: { method: 'outline', json: true, ignoreStatus: false } },
  { text: 'format=text,targets', want: { method: 'targets', json: false, ignoreStatus: false } },
  { text: 'check,ignorestatus=true', want: { method: 'check', json: false, ignoreStatus: true } },
  { text: 'check,ignorestatus=0,format=json', want: { method: 'check', json: true, ignoreStatus: false } },
  { text: 'build', want: undefined },
] as const) {
  test(`parseCall: ${text}`, () => assert.deepEqual(parseCall(text), want));
}

for (const { text, message } of [
  { text: 'outlin', message: /"outlin" is nothing that can be asked/ },
  { text: '', message: /empty field/ },
  { text: 'format=json', message: /"" is nothing/ },
  { text: 'check,outline', message: /has "outline" out of place/ },
  { text: 'check,format=yaml', message: /has "format" out of place/ },
  { text: 'check,ignorestatus=maybe', message: /has "ignorestatus" out of place/ },
]) {
  test(`parseCall refuses: ${text}`, () => assert.throws(() => parseCall(text), withCode('ARG_INVALID', message)));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePermission } from '../../../src/cli/values/permission.ts';

// Source: BuildKit 0.32.2, util/entitlements, and buildx 0.36, `ParseEntitlements`.
for (const { text, want } of [
  { text: 'network.host', want: 'network.host' },
  { text: 'security.insecure', want: 'security.insecure' },
  { text: 'device', want: 'device' },
  { text: 'device=', want: 'device' },
  { text: 'device=nvidia.com/gpu=0,alias=a', want: 'device=nvidia.com/gpu=0,alias=a' },
]) {
  test(`--allow ${text}`, () => assert.equal(parsePermission(text), want));
}

for (const { text, code, hint } of [
  { text: 'network.hots', code: 'ARG_INVALID', hint: /"network.host"/ },
  { text: 'network.host=1', code: 'ARG_INVALID', hint: /(?:)/ },
  { text: 'device=a/b=c,also=d', code: 'ARG_INVALID', hint: /alias=ALIAS/ },
  { text: 'everything', code: 'ARG_INVALID', hint: /network.host, security.insecure, device/ },
  { text: 'buildx.local.delete', code: 'UNSUPPORTED', hint: /empty the directory/ },
  { text: 'fs.read=/', code: 'UNSUPPORTED', hint: /leave it out/ },
]) {
  test(`--allow refuses ${text}`, () => assert.throws(() => parsePermission(text), { name: 'BuildError', code, hint }));
}

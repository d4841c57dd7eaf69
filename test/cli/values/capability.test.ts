import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilitiesWith, parseCapability } from '../../../src/cli/values/capability.ts';

for (const [text, want] of [
  ['CHOWN', 'CHOWN'],
  ['cap_net_admin', 'NET_ADMIN'],
  ['all', 'ALL'],
] as const) {
  test(`--cap-add ${text}`, () => assert.equal(parseCapability(text, '--cap-add'), want));
}

for (const [text, hint] of [
  ['SYS_ADMEN', /"SYS_ADMIN"/],
  ['', /capabilities\(7\)/],
  ['CAP_CAP_CHOWN', /(?:)/],
] as const) {
  test(`--cap-add refuses "${text}"`, () =>
    assert.throws(() => parseCapability(text, '--cap-add'), { name: 'BuildError', code: 'ARG_INVALID', hint }));
}

// Source: moby, oci/caps, `TweakCapabilities`, and its tests.
for (const { added, dropped, count, has, lacks } of [
  { added: [], dropped: [], count: 14, has: 'CAP_MKNOD', lacks: 'CAP_SYS_ADMIN' },
  { added: ['SYS_ADMIN', 'MKNOD'], dropped: [], count: 15, has: 'CAP_SYS_ADMIN', lacks: 'CAP_BPF' },
  { added: [], dropped: ['MKNOD'], count: 13, has: 'CAP_CHOWN', lacks: 'CAP_MKNOD' },
  { added: ['MKNOD'], dropped: ['MKNOD'], count: 14, has: 'CAP_MKNOD', lacks: 'CAP_BPF' },
  { added: ['ALL'], dropped: ['MKNOD'], count: 41, has: 'CAP_BPF', lacks: 'CAP_MKNOD' },
  { added: ['BPF'], dropped: ['ALL'], count: 1, has: 'CAP_BPF', lacks: 'CAP_CHOWN' },
] as const) {
  test(`capabilities with ${added} and without ${dropped}`, () => {
    const set = capabilitiesWith(added, dropped);
    assert.deepEqual([set.length, set.includes(has), set.includes(lacks)], [count, true, false]);
  });
}

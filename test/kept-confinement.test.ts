import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confinementIn, keptConfinement, keptOf } from '../src/kept-confinement.ts';

// Labels as the kernel writes them to /proc/self/attr/current: AppArmor's and SELinux's own documentation.
for (const [label, want] of [
  ['', undefined],
  ['unconfined\n', undefined],
  ['docker-default (enforce)\n', 'docker-default (enforce)'],
  ['cooper (complain)\n', undefined],
  ['userns (unconfined)\n', undefined],
  ['system_u:system_r:container_t:s0:c1,c2\0', 'system_u:system_r:container_t:s0:c1,c2'],
  ['unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\0', undefined],
  ['system_u:system_r:spc_t:s0\0', undefined],
] as const) {
  test(`what confines: ${JSON.stringify(label)}`, () => assert.equal(confinementIn(label), want));
}

for (const { name, label, options, option } of [
  {
    name: 'AppArmor, for who wants none',
    label: 'docker-default (enforce)\n',
    options: { appArmor: 'unconfined' },
    option: 'apparmor=unconfined',
  },
  { name: 'SELinux, for who wants none', label: 'u:r:container_t:s0\0', options: { label: 'disable' }, option: 'label=disable' },
  { name: 'nothing, for who wants no SELinux', label: 'docker-default (enforce)\n', options: { label: 'disable' } },
  { name: 'nothing, for who wants no AppArmor', label: 'u:r:container_t:s0\0', options: { appArmor: 'unconfined' } },
] as const) {
  test(`what is said to be kept: ${name}`, () => {
    const said = keptOf(label, options);
    assert.equal(said?.match(/--security-opt (\S+)"/)?.[1], option);
  });
}

test('nothing is read, and nothing said, where nobody asked', async () => {
  assert.equal(await keptConfinement({}), undefined);
});

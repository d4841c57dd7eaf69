import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSecurityOption } from '../../../src/cli/values/security-option.ts';

const caller = { directory: '/home/user' };

for (const { text, want } of [
  { text: 'seccomp=unconfined', want: { seccomp: 'unconfined' } },
  { text: 'seccomp:unconfined', want: { seccomp: 'unconfined' } },
  { text: 'seccomp=builtin', want: { seccomp: 'default' } },
  { text: 'seccomp=p.json', want: { seccomp: { file: '/home/user/p.json' } } },
  { text: 'seccomp=/etc/a=b:c', want: { seccomp: { file: '/etc/a=b:c' } } },
  { text: 'no-new-privileges', want: { noNewPrivileges: true } },
  { text: 'no-new-privileges=false', want: { noNewPrivileges: false } },
  { text: 'systempaths=unconfined', want: { systemPaths: 'unconfined' } },
  { text: 'apparmor=unconfined', want: { appArmor: 'unconfined' } },
  { text: 'label=disable', want: { label: 'disable' } },
] as const) {
  test(`--security-opt ${text}`, () => assert.deepEqual(parseSecurityOption(text, caller), want));
}

for (const { text, code, hint } of [
  { text: '', code: 'ARG_INVALID', hint: /seccomp, no-new-privileges/ },
  { text: 'secomp=x', code: 'ARG_INVALID', hint: /"seccomp"/ },
  { text: 'seccomp', code: 'ARG_INVALID', hint: /seccomp=VALUE/ },
  { text: 'seccomp=', code: 'ARG_INVALID', hint: /seccomp=VALUE/ },
  { text: 'no-new-privileges=1', code: 'ARG_INVALID', hint: /no-new-privileges/ },
  { text: 'systempaths=masked', code: 'ARG_INVALID', hint: /systempaths=unconfined/ },
  // Whether or not the kernel has them.
  { text: 'apparmor=docker-default', code: 'UNSUPPORTED', hint: /apparmor=unconfined/ },
  { text: 'label=type:container_t', code: 'UNSUPPORTED', hint: /label=disable/ },
] as const) {
  test(`--security-opt refuses "${text}"`, () =>
    assert.throws(() => parseSecurityOption(text, caller), { name: 'BuildError', code, hint }));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { formatPlatform, hostPlatform, parsePlatform, selectPlatform } from '../../src/oci/platform.ts';

const host = { os: 'linux', architecture: 'amd64' };

// Wanted values: the tables of containerd/platforms, `Parse` and `Normalize`.
for (const [text, want] of [
  ['linux/amd64', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['x86_64', 'linux/amd64'],
  ['linux/x86-64/v1', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['aarch64', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/arm64/8', 'linux/arm64'],
  ['arm', 'linux/arm/v7'],
  ['armhf', 'linux/arm/v7'],
  ['armel', 'linux/arm/v6'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['i386', 'linux/386'],
  ['s390x', 'linux/s390x'],
  ['LINUX/AMD64', 'linux/amd64'],
  ['windows', 'windows/amd64'],
  ['windows/amd64', 'windows/amd64'],
  ['windows(10.0.17763)/x86_64', 'windows/amd64'],
] as const) {
  test(`platform ${text}`, () => assert.equal(formatPlatform(parsePlatform(text, host)), want));
}

for (const text of ['', '/', 'linux/', 'no-such', 'a/b/c/d', 'linux/amd 64', '../x', `linux/${'a'.repeat(65)}`]) {
  test(`no platform: "${text.slice(0, 20)}"`, () => {
    assert.throws(
      () => parsePlatform(text, host),
      (error) => error instanceof BuildError && error.code === 'PLATFORM_UNSUPPORTED',
    );
  });
}

test('the host has a Go architecture', () => {
  assert.deepEqual(hostPlatform('x64'), { os: 'linux', architecture: 'amd64' });
  assert.deepEqual(hostPlatform('arm'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.deepEqual(hostPlatform('arm64'), { os: 'linux', architecture: 'arm64' });
});

const offered = (...texts: string[]) =>
  texts.map((text) => {
    const [os = '', architecture = '', variant] = text.split('/');
    return { text, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
  });

for (const { name, among, wanted, want } of [
  { name: 'the same', among: ['linux/arm64', 'linux/amd64'], wanted: 'linux/amd64', want: 'linux/amd64' },
  { name: 'a default variant that is written out', among: ['linux/arm64/v8'], wanted: 'linux/arm64', want: 'linux/arm64/v8' },
  { name: 'the newest older variant', among: ['linux/arm/v5', 'linux/arm/v6'], wanted: 'linux/arm/v7', want: 'linux/arm/v6' },
  { name: 'the exact variant first', among: ['linux/arm/v6', 'linux/arm/v7'], wanted: 'linux/arm/v7', want: 'linux/arm/v7' },
  { name: 'no newer variant', among: ['linux/arm/v7'], wanted: 'linux/arm/v6', want: undefined },
  { name: 'the base level for a newer one', among: ['linux/amd64'], wanted: 'linux/amd64/v3', want: 'linux/amd64' },
  { name: 'no other system', among: ['windows/amd64'], wanted: 'linux/amd64', want: undefined },
  { name: 'no attestation', among: ['unknown/unknown'], wanted: 'linux/amd64', want: undefined },
  { name: 'nothing among nothing', among: [], wanted: 'linux/amd64', want: undefined },
]) {
  test(`selects ${name}`, () => assert.equal(selectPlatform(offered(...among), parsePlatform(wanted, host))?.text, want));
}

test('a candidate without a platform is not selected', () => assert.equal(selectPlatform([{}], host), undefined));

test('a system may have its version', () => {
  assert.deepEqual(parsePlatform('windows(10.0.17763.1)/amd64', host), {
    os: 'windows',
    architecture: 'amd64',
    'os.version': '10.0.17763.1',
  });
  for (const text of ['windows()/amd64', 'linux(a(b))/amd64', 'linux(1)x/amd64', '(1)/amd64']) {
    assert.throws(() => parsePlatform(text, host), { code: 'PLATFORM_UNSUPPORTED' });
  }
});

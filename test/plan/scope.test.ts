// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlanOptions } from '../../src/plan/plan-options.ts';
import { planOf } from './plan-of.ts';

const arm = { os: 'linux', architecture: 'arm', variant: 'v7' } as const;

interface ScopeRow {
  readonly name: string;
  /** The last line is a LABEL v=…, whose value is what counts. */
  readonly text: string;
  readonly options?: PlanOptions;
  readonly want: string;
}

const arg = (name: string, value: string): PlanOptions => ({ buildArgs: { [name]: value } });

// Source of the wanted values: Docker's reference, "ARG", "Scope", "Using ARG variables", "Automatic platform ARGs in the global scope",
// "Understand how ARG and FROM interact"; BuildKit's convert.go where the reference says nothing.
const rows: readonly ScopeRow[] = [
  { name: 'a stage does not see a global ARG', text: 'ARG g=1\nFROM scratch\nLABEL v=${g-unset}', want: 'unset' },
  { name: 'a bare ARG brings a global ARG in', text: 'ARG g=1\nFROM scratch\nARG g\nLABEL v=$g', want: '1' },
  { name: 'an ARG with a default does not take the global one', text: 'ARG g=1\nFROM scratch\nARG g=2\nLABEL v=$g', want: '2' },
  {
    name: 'a build argument wins over the global default',
    text: 'ARG g=1\nFROM scratch\nARG g\nLABEL v=$g',
    options: arg('g', '3'),
    want: '3',
  },
  {
    name: 'a build argument wins over the default of the stage',
    text: 'FROM scratch\nARG g=2\nLABEL v=$g',
    options: arg('g', '3'),
    want: '3',
  },
  { name: 'a build argument may be empty', text: 'FROM scratch\nARG g=2\nLABEL v=${g-unset}', options: arg('g', ''), want: '' },
  { name: 'a build argument without an ARG does nothing', text: 'FROM scratch\nLABEL v=${g-unset}', options: arg('g', '3'), want: 'unset' },
  {
    name: 'a build argument with a global ARG only does nothing in a stage',
    text: 'ARG g\nFROM scratch\nLABEL v=${g-unset}',
    options: arg('g', '3'),
    want: 'unset',
  },
  { name: 'a bare global ARG is unset', text: 'ARG g\nFROM scratch\nARG g\nLABEL v=${g-unset}', want: 'unset' },
  { name: 'a global ARG may be empty', text: 'ARG g=\nFROM scratch\nARG g\nLABEL v=${g-unset}', want: '' },
  { name: 'a global ARG sees those before it', text: 'ARG a=1\nARG b=${a}2\nFROM scratch\nARG b\nLABEL v=$b', want: '12' },
  {
    name: 'a global ARG sees the build argument of one before it',
    text: 'ARG a=1\nARG b=${a}2\nFROM scratch\nARG b\nLABEL v=$b',
    options: arg('a', '3'),
    want: '32',
  },
  { name: 'a global ARG sees the platform', text: 'ARG a=$TARGETARCH\nFROM scratch\nARG a\nLABEL v=$a', want: 'amd64' },
  { name: 'the later of two global ARGs counts', text: 'ARG a=1\nARG a=2\nFROM scratch\nARG a\nLABEL v=$a', want: '2' },
  { name: 'several global ARGs in one line', text: 'ARG a=1 b=$a\nFROM scratch\nARG b\nLABEL v=$b', want: '1' },
  {
    name: 'an unused global default is not expanded',
    text: 'ARG a=${x:?gone}\nFROM scratch\nARG a\nLABEL v=$a',
    options: arg('a', '1'),
    want: '1',
  },
  { name: 'an ARG counts from its line on', text: 'FROM scratch\nENV e=${a-unset}\nARG a=1\nLABEL v=$e', want: 'unset' },
  { name: 'an ARG is of its stage only', text: 'FROM scratch AS one\nARG a=1\nFROM scratch\nLABEL v=${a-unset}', want: 'unset' },
  { name: 'an ARG goes on into a stage from this one', text: 'FROM scratch AS one\nARG a=1\nFROM one\nLABEL v=$a', want: '1' },
  {
    name: 'a build argument goes on into a stage from this one',
    text: 'FROM scratch AS one\nARG a\nFROM one\nLABEL v=$a',
    options: arg('a', '2'),
    want: '2',
  },
  { name: 'a bare ARG keeps what came from the stage below', text: 'FROM scratch AS one\nARG a=1\nFROM one\nARG a\nLABEL v=$a', want: '1' },
  {
    name: 'an ARG of a stage below may get another default',
    text: 'FROM scratch AS one\nARG a=1\nFROM one\nARG a=2\nLABEL v=$a',
    want: '2',
  },
  { name: 'an ENV goes on into a stage from this one', text: 'FROM scratch AS one\nENV a=1\nFROM one\nLABEL v=$a', want: '1' },
  { name: 'an ENV wins over an ARG before it', text: 'FROM scratch\nARG a=1\nENV a=2\nLABEL v=$a', want: '2' },
  {
    name: 'an ENV wins over a build argument before it',
    text: 'FROM scratch\nARG a=1\nENV a=2\nLABEL v=$a',
    options: arg('a', '3'),
    want: '2',
  },
  { name: 'an ARG wins over an ENV before it', text: 'FROM scratch\nENV a=2\nARG a=1\nLABEL v=$a', want: '1' },
  {
    name: 'a build argument wins over an ENV before its ARG',
    text: 'FROM scratch\nENV a=2\nARG a\nLABEL v=$a',
    options: arg('a', '3'),
    want: '3',
  },
  { name: 'a bare ARG without a value leaves an ENV as it is', text: 'FROM scratch\nENV a=2\nARG a\nLABEL v=$a', want: '2' },
  { name: 'a bare ARG with a global value wins over an ENV', text: 'ARG a=1\nFROM scratch\nENV a=2\nARG a\nLABEL v=$a', want: '1' },
  { name: 'an ENV of the base image is seen', text: 'FROM debian\nLABEL v=$X', want: 'base' },
  { name: 'an ARG wins over the ENV of the base image', text: 'FROM debian\nARG X=1\nLABEL v=$X', want: '1' },
  {
    name: 'an ENV of the stage below wins again in a stage from it',
    text: 'FROM scratch AS one\nENV a=1\nARG a=2\nFROM one\nLABEL v=$a',
    want: '1',
  },
  { name: 'an ENV may be made of an ARG', text: 'FROM scratch\nARG a=1\nENV e=${a:-x}\nLABEL v=$e', want: '1' },
  { name: 'platform ARGs are not in a stage by themselves', text: 'FROM scratch\nLABEL v=${TARGETPLATFORM-unset}', want: 'unset' },
  { name: 'TARGETPLATFORM', text: 'FROM scratch\nARG TARGETPLATFORM\nLABEL v=$TARGETPLATFORM', want: 'linux/amd64' },
  {
    name: 'TARGETPLATFORM with a variant',
    text: 'FROM scratch\nARG TARGETPLATFORM\nLABEL v=$TARGETPLATFORM',
    options: { platform: arm },
    want: 'linux/arm/v7',
  },
  { name: 'TARGETVARIANT', text: 'FROM scratch\nARG TARGETVARIANT\nLABEL v=$TARGETVARIANT', options: { platform: arm }, want: 'v7' },
  { name: 'TARGETVARIANT is empty, not unset', text: 'FROM scratch\nARG TARGETVARIANT\nLABEL v=${TARGETVARIANT-unset}', want: '' },
  {
    name: 'BUILDPLATFORM is the machine',
    text: 'FROM scratch\nARG BUILDPLATFORM\nLABEL v=$BUILDPLATFORM',
    options: { platform: arm },
    want: 'linux/amd64',
  },
  { name: 'TARGETOS and BUILDARCH', text: 'FROM scratch\nARG TARGETOS BUILDARCH\nLABEL v=$TARGETOS-$BUILDARCH', want: 'linux-amd64' },
  {
    name: 'a default does not hide a platform ARG that is asked for bare',
    text: 'FROM scratch\nARG TARGETARCH\nLABEL v=$TARGETARCH',
    options: arg('TARGETARCH', 'mine'),
    want: 'mine',
  },
  { name: 'a platform ARG with a default has the default', text: 'FROM scratch\nARG TARGETARCH=x\nLABEL v=$TARGETARCH', want: 'x' },
  { name: 'TARGETSTAGE without a name', text: 'FROM scratch\nARG TARGETSTAGE\nLABEL v=$TARGETSTAGE', want: 'default' },
  {
    name: 'TARGETSTAGE is the last stage',
    text: 'FROM scratch AS one\nFROM scratch AS two\nARG TARGETSTAGE\nLABEL v=$TARGETSTAGE',
    want: 'two',
  },
  {
    name: 'TARGETSTAGE is the target',
    text: 'FROM scratch AS one\nARG TARGETSTAGE\nLABEL v=$TARGETSTAGE',
    options: { target: 'one' },
    want: 'one',
  },
  {
    name: 'proxies are no variables of the Dockerfile',
    text: 'FROM scratch\nLABEL v=${HTTP_PROXY-unset}',
    options: arg('HTTP_PROXY', 'p'),
    want: 'unset',
  },
  { name: 'a name that JavaScript objects have is unset', text: 'FROM scratch\nLABEL v=${constructor-unset}', want: 'unset' },
  {
    name: 'a build argument of such a name',
    text: 'FROM scratch\nARG toString\nLABEL v=$toString',
    options: arg('toString', '1'),
    want: '1',
  },
];

for (const { name, text, options, want } of rows) {
  test(`scope: ${name}`, async () => {
    assert.equal((await planOf(text, options)).config.Labels?.v, want);
  });
}

test('scope: ARGs never reach the config', async () => {
  const { config } = await planOf('ARG g=1\nFROM debian\nARG g\nARG X=2\nARG TARGETARCH');
  assert.deepEqual(config.Env, ['PATH=/usr/bin:/bin', 'X=base']);
});

test('scope: ARGs about scanning are no part of a RUN', async () => {
  const { target } = await planOf('FROM debian\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nRUN x');
  assert.ok(target.spec.kind === 'exec');
  assert.deepEqual(target.spec.env, ['PATH=/usr/bin:/bin', 'X=base']);
});

test('scope: build arguments that nothing takes are warned of', async () => {
  const buildArgs = { used: '1', surplus: '2', https_proxy: '3', TARGETARCH: '4', BUILDKIT_SYNTAX: '5', later: '6' };
  const { warnings } = await planOf('FROM scratch AS other\nARG later\nFROM scratch\nARG used', { buildArgs });
  assert.deepEqual(warnings, [{ code: 'BuildArgUnused', message: 'no ARG takes the build argument "surplus"' }]);
  const { warnings: near } = await planOf('FROM scratch\nARG version=1', { buildArgs: { vesrion: '2' } });
  assert.deepEqual(near, [{ code: 'BuildArgUnused', message: 'no ARG takes the build argument "vesrion": did you mean "version"?' }]);
});

for (const { name, text } of [
  { name: 'ENV', text: `FROM scratch\nENV a=0123456789\n${'ENV a=$a$a\n'.repeat(60)}` },
  { name: 'ARG', text: `${'ARG a=${a:-0123456789}${a:-0}\n'.repeat(60)}FROM scratch` },
  { name: 'EXPOSE', text: `FROM scratch\n${'EXPOSE 0-65535\n'.repeat(100)}` },
]) {
  test(`scope: ${name} cannot fill the memory`, async () => {
    await assert.rejects(planOf(text), { code: 'EXPANSION_FAILED' });
  });
}

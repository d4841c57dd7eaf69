import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import type { ErrorCode } from '../../src/diagnostics/codes.ts';
import type { Spec } from '../../src/graph/spec.ts';
import type { DiffID, Digest } from '../../src/oci/digest.ts';
import type { ContainerConfig } from '../../src/oci/image-config.ts';
import { plan } from '../../src/plan/index.ts';
import type { ImageResolver, Plan, ResolvedImage } from '../../src/plan/plan.ts';
import type { PlanOptions } from '../../src/plan/plan-options.ts';

export const amd64 = { os: 'linux', architecture: 'amd64' } as const;
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;

/** An image with one layer. */
export function image(reference: string, digit: string, config: ContainerConfig = {}): ResolvedImage {
  const diffID = digest(digit) as string as DiffID;
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest('f'), size: 1 };
  return {
    reference,
    digest: digest(digit),
    config: {
      ...amd64,
      author: 'base author',
      config,
      rootfs: { type: 'layers', diff_ids: [diffID] },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: `layer of ${reference}` }],
    },
    layers: [{ descriptor: layer, diffID }],
  };
}

/** The images that FROM finds in these tests, by the name that is asked for. */
export const images: Readonly<Record<string, ResolvedImage>> = {
  debian: image('docker.io/library/debian:latest', 'a', { Env: ['PATH=/usr/bin:/bin', 'X=base'], Cmd: ['bash'] }),
  'debian:12': image('docker.io/library/debian:12', 'b', { Env: ['PATH=/usr/bin:/bin'] }),
  busybox: image('docker.io/library/busybox:latest', 'c', { Cmd: ['sh'] }),
  app: image('docker.io/library/app:latest', 'd', {
    User: 'app',
    WorkingDir: '/srv',
    Entrypoint: ['/entry'],
    Cmd: ['serve'],
    Labels: { vendor: 'us' },
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
    Shell: ['/bin/bash', '-c'],
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 },
  }),
};

/** Knows `images` and what is added; remembers what it was asked for. */
export function resolverOf(more: Readonly<Record<string, ResolvedImage>> = {}): ImageResolver & { readonly asked: string[] } {
  const known = { ...images, ...more };
  const asked: string[] = [];
  return {
    asked,
    async resolve(reference, { os, architecture }) {
      asked.push(`${reference} ${os}/${architecture}`);
      const found = known[reference];
      if (!found) throw new BuildError('BASE_NOT_FOUND', `there is no image "${reference}"`);
      return found;
    },
  };
}

/** Parses without errors and plans, for linux/amd64 if nothing else is said. */
export async function planOf(text: string, options: PlanOptions = {}, resolver: ImageResolver = resolverOf()): Promise<Plan> {
  const dockerfile = parseDockerfile(text);
  assert.deepEqual(
    dockerfile.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const source = { file: 'Dockerfile', text };
  return plan(dockerfile, source, { buildPlatform: amd64, ...options }, resolver, new AbortController().signal);
}

export interface Row {
  readonly name: string;
  readonly text: string;
  readonly options?: PlanOptions;
  /** These fields of the config, and their whole values; `null` for a field that must not be there. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** `createdBy` of our rows, from the first on. */
  readonly history?: readonly string[];
  /** These fields of each vertex that makes a layer. */
  readonly layers?: readonly Readonly<Record<string, unknown>>[];
  /** The names of the vertices that make a layer. */
  readonly names?: readonly string[];
}

/** A test for each row. */
export function testPlans(subject: string, rows: readonly Row[]): void {
  for (const { name, text, options, config, history, layers, names } of rows) {
    test(`${subject}: ${name}`, async () => {
      const result = await planOf(text, options);
      const made = result.vertices.filter(({ spec }) => !['image', 'scratch', 'local', 'inline', 'http', 'git'].includes(spec.kind));
      for (const [key, want] of Object.entries(config ?? {})) {
        assert.deepEqual(result.config[key as keyof ContainerConfig] ?? null, want, key);
      }
      if (history)
        assert.deepEqual(
          result.history.map(({ createdBy }) => createdBy),
          history,
        );
      if (layers)
        assert.deepEqual(
          made.map(({ spec }, index) => pick(spec, layers[index] ?? {})),
          layers,
        );
      if (names)
        assert.deepEqual(
          made.map((vertex) => vertex.name),
          names,
        );
    });
  }
}

export interface ErrorRow {
  readonly name: string;
  readonly text: string;
  readonly options?: PlanOptions;
  readonly code: ErrorCode;
  /** `line:column` of where it begins. */
  readonly at?: string;
  readonly message?: RegExp;
  readonly hint?: RegExp;
}

/** A test for each row: the code, the place, the words. */
export function testErrors(subject: string, rows: readonly ErrorRow[]): void {
  for (const { name, text, options, code, at, message, hint } of rows) {
    test(`${subject}: ${name}`, async () => {
      const error = await planOf(text, options).then(
        () => assert.fail('it did not fail'),
        (caught: unknown) => caught,
      );
      if (!(error instanceof BuildError)) throw error;
      assert.equal(error.code, code, error.message);
      if (at) assert.equal(`${error.range?.start.line}:${error.range?.start.column}`, at);
      if (at) assert.equal(error.range?.text, text);
      if (message) assert.match(error.message, message);
      if (hint) assert.match(error.hint ?? '', hint);
    });
  }
}

const pick = (spec: Spec, like: object): object =>
  Object.fromEntries(Object.keys(like).map((key) => [key, (spec as unknown as Record<string, unknown>)[key]]));

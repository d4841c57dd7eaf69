import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import type { ExecSpec } from '../../src/graph/spec.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { ContainerConfig, ImageConfig } from '../../src/oci/image-config.ts';
import { type Platform, parsePlatform } from '../../src/oci/platform.ts';
import { plan } from '../../src/plan/index.ts';
import type { ImageResolver, Plan } from '../../src/plan/plan.ts';

// What BuildKit 0.32.2 makes of a few hundred small Dockerfiles: one JSON object a line, with what its frontend (dockerfile2llb) gave for the
// text and the options. `golden/images.json` are the configs of the bases.

interface Row {
  readonly name: string;
  readonly text: string;
  readonly options?: {
    readonly target?: string;
    readonly platform?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly want?: {
    readonly platform: Platform;
    readonly author?: string;
    readonly config: ContainerConfig;
    /** `created_by` of the new rows, with "(empty)" where there is no layer. */
    readonly history: readonly string[];
    readonly runs: readonly {
      readonly args: readonly string[];
      readonly env: readonly string[];
      readonly cwd: string;
      readonly user: string;
      readonly hostname?: string;
    }[];
  };
  /** BuildKit fails; this is our code for it. */
  readonly error?: string;
}

const golden = (name: string): string => readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8');
const images = JSON.parse(golden('images.json')) as Readonly<Record<string, ImageConfig>>;

const resolver: ImageResolver = {
  async resolve(reference) {
    const config = images[reference];
    if (!config) throw new BuildError('BASE_NOT_FOUND', `there is no image "${reference}"`);
    const digest = `sha256:${'a'.repeat(64)}` as Digest;
    const layers = config.rootfs.diff_ids.map((diffID) => ({ diffID, descriptor: { mediaType: 'layer', digest, size: 1 } }));
    return { reference: `docker.io/library/${reference}:latest`, digest, config, layers };
  },
};

for (const subject of ['arguments', 'instructions', 'stages', 'random']) {
  describe(`as BuildKit 0.32.2: ${subject}`, () => {
    for (const line of golden(`${subject}.jsonl`).trimEnd().split('\n')) {
      const row = JSON.parse(line) as Row;
      test(row.name, async () => {
        if (row.error) await assert.rejects(planOf(row), { name: 'BuildError', code: row.error });
        else assert.deepEqual(shown(await planOf(row)), row.want);
      });
    }
  });
}

async function planOf({ text, options: { platform, ...options } = {} }: Row): Promise<Plan> {
  const asked = { ...options, buildPlatform: parsePlatform('linux/amd64'), ...(platform && { platform: parsePlatform(platform) }) };
  return plan(parseDockerfile(text), { file: 'Dockerfile', text }, asked, resolver, new AbortController().signal);
}

function shown({ platform, author, config, history, vertices }: Plan): Row['want'] {
  const runs = vertices.flatMap(({ spec }) => (spec.kind === 'exec' ? [run(spec)] : []));
  const rows = history.map(({ createdBy, vertex }) => (vertex === undefined ? `${createdBy} (empty)` : createdBy));
  return { platform, ...(author !== undefined && { author }), config, history: rows, runs };
}

const run = ({ argv, env, cwd, user, hostname }: ExecSpec) => ({ args: argv, env, cwd, user, ...(hostname && { hostname }) });

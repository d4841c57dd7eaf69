import { parseDockerfile } from '../../grammar/parse.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import type { DiffID, Digest } from '../../src/oci/digest.ts';
import { plan } from '../../src/plan/index.ts';
import type { ResolvedImage } from '../../src/plan/plan.ts';

/** What the planner makes of a Dockerfile: undefined when it plans it, else the error that says that it is not built. */
export async function tryPlan(text: string): Promise<BuildError | undefined> {
  const dockerfile = parseDockerfile(text);
  const wrong = dockerfile.diagnostics.find(({ severity }) => severity === 'error');
  if (wrong) throw new TypeError(`an example is no Dockerfile: ${wrong.message}\n${text}`);
  const options = { buildPlatform: { os: 'linux', architecture: 'amd64' }, allow: ['network.host', 'security.insecure'] } as const;
  try {
    await plan(dockerfile, { file: 'Dockerfile', text }, options, { resolve: async () => base }, new AbortController().signal);
    return undefined;
  } catch (error) {
    if (error instanceof BuildError && error.code === 'UNSUPPORTED') return error;
    throw new TypeError(`an example does not show what it should:\n${text}`, { cause: error });
  }
}

/** The image that every example starts from. */
const base: ResolvedImage = {
  reference: 'localhost/base:latest',
  digest: `sha256:${'a'.repeat(64)}` as Digest,
  config: {
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: [`sha256:${'b'.repeat(64)}` as DiffID] },
    history: [],
  },
  layers: [
    {
      descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${'c'.repeat(64)}` as Digest, size: 1 },
      diffID: `sha256:${'b'.repeat(64)}` as DiffID,
    },
  ],
};

import type { Spec } from '../../graph/spec.ts';
import type { Vertex } from '../../graph/vertex.ts';
import { lowerFiles } from '../copy-files.ts';
import { booleanFlag, expandFlag, type FlagValue, textFlag } from '../flags.ts';
import { isRemote, type RemoteFlags, remoteVertex } from '../remote-source.ts';
import { expandArg, invalid, type Step } from '../step.ts';

/** ADD: as COPY, but a local archive is unpacked, and URLs and git repositories are fetched. */
export function lowerAdd(step: Step): void {
  const unpack = booleanFlag(step, 'unpack');
  const flags = remoteFlags(step);
  lowerFiles(step, {
    from: undefined,
    parents: false,
    unpack: unpack ?? true,
    checkSource() {},
    fetch(source, index) {
      const remote = remoteVertex(step, source, index, flags);
      return remote && { ...remote, unpack: remote.vertex.spec.kind === 'http' && unpack === true };
    },
  });
}

/** What is fetched for the source at `index`; undefined for a path. */
export const remoteSource = (step: Step, index: number): Vertex<Spec> | undefined =>
  remoteVertex(step, expandArg(step, index), index, remoteFlags(step))?.vertex;

const remoteFlags = (step: Step): RemoteFlags => ({ checksum: checksumFlag(step), keepGitDir: booleanFlag(step, 'keep-git-dir') });

/** Source: BuildKit, `dispatchCopy`: one source, and a remote one. */
function checksumFlag(step: Step): FlagValue | undefined {
  const flag = textFlag(step, 'checksum');
  const value = expandFlag(step, 'checksum');
  if (!flag || !value) return undefined;
  const { range } = flag;
  if (step.instruction.args.length !== 2) {
    throw invalid(step, '"--checksum" is for one source', { range, hint: 'write an instruction for each source' });
  }
  if (!isRemote(expandArg(step, 0))) {
    throw invalid(step, '"--checksum" is for a source that is a URL or a git repository', { range });
  }
  return { value, range };
}

import { lowerFiles } from '../copy-files.ts';
import { booleanFlag, expandFlag, type FlagValue, textFlag } from '../flags.ts';
import { isRemote, remoteVertex } from '../remote-source.ts';
import { expandArg, invalid, type Step } from '../step.ts';

/** ADD: as COPY, but a local archive is unpacked, and URLs and git repositories are fetched. */
export function lowerAdd(step: Step): void {
  const unpack = booleanFlag(step, 'unpack');
  const checksum = checksumFlag(step);
  const keepGitDir = booleanFlag(step, 'keep-git-dir');
  lowerFiles(step, {
    from: undefined,
    parents: false,
    unpack: unpack ?? true,
    checkSource() {},
    fetch(source, index) {
      const remote = remoteVertex(step, source, index, { checksum, keepGitDir });
      return remote && { ...remote, unpack: remote.vertex.spec.kind === 'http' && unpack === true };
    },
  });
}

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

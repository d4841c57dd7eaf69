import { type HeredocStart, heredocStart } from '../../grammar/lex/heredoc.ts';
import type { CopyPart, CopySpec, InlineSpec, Spec } from '../graph/spec.ts';
import { type Vertex, vertex } from '../graph/vertex.ts';
import { destinationPath } from './container-path.ts';
import { epochOf } from './epoch.ts';
import { expandBody } from './expansion.ts';
import { booleanFlag, expandFlag, type FlagValue, listFlag, textFlag } from './flags.ts';
import { addHistory, workingDirectory } from './stage-state.ts';
import { expandArg, invalid, rangeIn, rangeOf, type Step } from './step.ts';
import { stepName } from './step-name.ts';

interface Variation {
  readonly from: FlagValue | undefined;
  readonly parents: boolean;
  readonly unpack: boolean;
  /** Throws for a source that the instruction cannot take. */
  checkSource(source: string, index: number): void;
  /** ADD: what a source that is no path stands for; undefined for a path. */
  fetch?(source: string, index: number): RemoteFiles | undefined;
}

/** A source that is fetched: its vertex, and the pattern of its files there. */
export interface RemoteFiles {
  readonly vertex: Vertex<Spec>;
  readonly pattern: string;
  /** It is unpacked only where that is asked for. */
  readonly unpack: boolean;
}

/** What COPY and ADD do alike: one vertex, one row of history. */
export function lowerFiles(step: Step, variation: Variation): void {
  const { instruction, state } = step;
  const { sources, files, target } = readArgs(step, variation);
  const chown = expandFlag(step, 'chown');
  const chmod = checkedMode(step);
  const { parts, inputs } = partsOf(step, variation, sources, files);
  const spec: CopySpec = {
    kind: 'copy',
    instruction: instruction.name === 'ADD' ? 'ADD' : 'COPY',
    parts,
    destination: destinationPath(workingDirectory(state), target),
    // Nothing is expanded in these. Source: BuildKit, `CopyCommand.Expand`.
    exclude: listFlag(step, 'exclude').map(({ value }) => value),
    ...(chown && { chown }),
    ...(chmod && { chmod }),
    link: booleanFlag(step, 'link') ?? false,
    ...epochOf(step.build),
  };
  state.vertex = vertex<Spec>(spec, [state.vertex, ...inputs], stepName(step), rangeOf(step));
  const words = [variation.parents && '--parents', chown && `--chown=${chown}`, chmod && `--chmod=${chmod}`];
  const named = [...sources.map(({ text }) => text), ...files.map(({ name }) => `<<${name}`), target];
  addHistory(state, `${[instruction.name, ...words.filter(Boolean), ...named].join(' ')} # buildkit`, state.vertex.digest);
}

interface Parts {
  readonly parts: readonly CopyPart[];
  /** What the parts copy from: the vertex's inputs from 1 on. */
  readonly inputs: readonly Vertex<Spec>[];
}

/** Heredocs come after all else, wherever they stand in the instruction. Source: BuildKit, `dispatchCopy`. */
function partsOf(step: Step, { from, parents, unpack }: Variation, sources: readonly Source[], files: InlineSpec['files']): Parts {
  const parts: CopyPart[] = [];
  const inputs: Vertex<Spec>[] = [];
  let paths: string[] | undefined;
  for (const { text, remote } of sources) {
    if (remote) {
      paths = undefined;
      inputs.push(remote.vertex);
      parts.push({ input: inputs.length, sources: [remote.pattern], parents: false, unpack: remote.unpack });
    } else if (paths) {
      paths.push(text);
    } else {
      paths = [text];
      inputs.push(sourceVertex(step, from));
      parts.push({ input: inputs.length, sources: paths, parents, unpack });
    }
  }
  if (files.length > 0) {
    inputs.push(inlineVertex(files));
    parts.push({ input: inputs.length, sources: files.map(({ name }) => escapePattern(name)), parents: false, unpack: false });
  }
  return { parts, inputs };
}

/** A source as written, after expansion. */
interface Source {
  readonly text: string;
  readonly remote: RemoteFiles | undefined;
}

interface Arguments {
  readonly sources: readonly Source[];
  readonly files: InlineSpec['files'];
  /** As written, after expansion. */
  readonly target: string;
}

function readArgs(step: Step, { from, checkSource, fetch }: Variation): Arguments {
  const { args } = step.instruction;
  const last = args.length - 1;
  const sources: Source[] = [];
  const files: InlineSpec['files'][number][] = [];
  for (const [index, word] of args.slice(0, last).entries()) {
    const start = heredocStart(word);
    if (start) {
      files.push(inlineFile(step, start, index));
      continue;
    }
    const text = expandArg(step, index);
    checkSource(text, index);
    sources.push({ text, remote: fetch?.(text, index) });
  }
  if (heredocStart(args[last] ?? '')) throw invalid(step, `the destination of ${step.instruction.name} cannot be a heredoc`);
  if (files.length > 0 && from)
    throw invalid(step, 'a heredoc is copied from the Dockerfile, not "--from" something', { range: from.range });
  return { sources, files, target: expandArg(step, last) };
}

/**
 * The file of an argument `<<EOF`: the last heredoc of that name. There is none where the line's words are others for a shell, as in quotes:
 * then it is empty. Source: BuildKit, `parseSourcesAndDest`.
 */
function inlineFile(step: Step, { name, expand, chomp }: HeredocStart, index: number): InlineSpec['files'][number] {
  const heredoc = step.instruction.heredocs.findLast((each) => each.name === name);
  const range = heredoc?.range ?? step.instruction.argRanges[index];
  const at = range ? rangeIn(step, range) : rangeOf(step);
  if (name.includes('/') || name === '.' || name === '..') throw invalid(step, `"${name}" cannot be the name of a file`, { range: at });
  const content = (chomp ? heredoc?.content : heredoc?.raw) ?? '';
  return { name, text: expand ? expandBody(content, step.state.scope, { ...step.build, range: at }) : content, mode: 0o644 };
}

/** The vertex that holds these files. */
export const inlineVertex = (files: InlineSpec['files']): Vertex<Spec> => vertex<Spec>({ kind: 'inline', files }, [], 'inline files');

function sourceVertex(step: Step, from: FlagValue | undefined): Vertex<Spec> {
  return from ? step.source(from.value) : step.build.context;
}

/** So that a file's name is no pattern. Source: Go, filepath.Match. */
const escapePattern = (name: string): string => name.replace(/[*?[\]\\]/g, '\\$&');

const symbolicMode = /^[ugoa]*(?:[-+=](?:[rwxXstugo]*))+(?:,[ugoa]*(?:[-+=](?:[rwxXstugo]*))+)*$/;

function checkedMode(step: Step): string | undefined {
  const mode = expandFlag(step, 'chmod');
  if (!mode) return undefined;
  if (/^0*[0-7]{1,4}$/.test(mode) || (mode.length < 256 && symbolicMode.test(mode))) return mode;
  throw invalid(step, `"${mode}" is not a mode`, {
    range: textFlag(step, 'chmod')?.range ?? rangeOf(step),
    hint: 'a mode is octal (0755) or symbolic (u=rwX,go=rX)',
  });
}

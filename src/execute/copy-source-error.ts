import { basename } from 'node:path';
import type { IgnoreRules } from '../context/ignore-file.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { CopySpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { WorkerRefusal } from '../worker/exchange.ts';
import type { WorkerError } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';

/** What the worker says of a source that is not there, as the user has to read it: which source, and who took it away. */
export function copySourceError(error: unknown, vertex: Vertex<Spec>, spec: CopySpec, context: ExecuteContext): unknown {
  if (!(error instanceof WorkerRefusal) || error.code !== 'COPY_SOURCE_MISSING') return error;
  const source = spec.sources[error.details.source ?? 0] ?? '';
  const input = vertex.inputs[1];
  const where = input && /^(?:build )?context/.test(input.name) ? `the ${input.name}` : `"${input?.name ?? 'its source'}"`;
  const ignored = input?.spec.kind === 'local' ? context.ignored.get(input.spec.name) : undefined;
  const range = vertex.origin && narrow(vertex.origin, source);
  return new BuildError('COPY_SOURCE_MISSING', `"${source}" is not in ${where}`, {
    range,
    hint: hintOf(error.details, ignored),
    cause: error,
  });
}

function hintOf({ ignoredBy, similar }: WorkerError, ignored: IgnoreRules | undefined): string | undefined {
  if (ignoredBy !== undefined) {
    const text = (ignored?.text ?? '').split('\n')[ignoredBy - 1]?.trim() ?? '';
    return `${basename(ignored?.file ?? '.dockerignore')} line ${ignoredBy} ("${text}") leaves it out`;
  }
  return similar?.length ? `did you mean ${similar.map((name) => `"${name}"`).join(' or ')}?` : undefined;
}

/** The word's own place in the instruction where it stands there as it is; else the whole instruction. */
function narrow(origin: SourceRange, word: string): SourceRange {
  const line = origin.text?.split('\n')[origin.start.line - 1];
  const at = line === undefined || word === '' ? -1 : line.indexOf(word, origin.start.column - 1);
  if (line === undefined || at < 0) return origin;
  const bytes = (text: string) => Buffer.byteLength(text);
  const lineStart = origin.start.offset - bytes(line.slice(0, origin.start.column - 1));
  const place = (end: number) => ({
    line: origin.start.line,
    column: [...line.slice(0, end)].length + 1,
    offset: lineStart + bytes(line.slice(0, end)),
  });
  return { ...origin, start: place(at), end: place(at + word.length) };
}

import { basename } from 'node:path';
import type { IgnoreRules } from '../context/ignore-file.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { CopySpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { WorkerRefusal } from '../worker/exchange.ts';
import type { WorkerError } from '../worker/protocol.ts';
import type { ExecuteContext } from './context.ts';

interface Asked {
  readonly vertex: Vertex<Spec>;
  readonly spec: CopySpec;
  /** Which of its parts; undefined where the worker tells. */
  readonly part?: number;
}

/** What the worker says of a source that is not there, as the user has to read it: which source, and who took it away. */
export function copySourceError(error: unknown, { vertex, spec, part }: Asked, context: ExecuteContext): unknown {
  if (!(error instanceof WorkerRefusal) || error.code !== 'COPY_SOURCE_MISSING') return error;
  const asked = spec.parts[part ?? error.details.selection ?? 0];
  const source = asked?.sources[error.details.source ?? 0] ?? '';
  const input = asked && vertex.inputs[asked.input];
  const where = input && /^(?:build )?context/.test(input.name) ? `the ${input.name}` : `"${input?.name ?? 'its source'}"`;
  const ignored = input?.spec.kind === 'local' ? context.ignored.get(input.spec.name) : undefined;
  const range = vertex.origin && rangeOfSource(vertex.origin, source);
  return new BuildError('COPY_SOURCE_MISSING', `"${source}" is not in ${where}`, {
    range,
    hint: schemeHint(source) ?? hintOf(error.details, ignored),
    cause: error,
  });
}

/** BuildKit takes these for paths, too. */
const schemeHint = (source: string): string | undefined =>
  /^(?:[a-zA-Z][a-zA-Z0-9+.-]*:\/\/|data:)/.test(source)
    ? 'ADD fetches http:// and https:// URLs and git repositories; anything else is a path'
    : undefined;

function hintOf({ ignoredBy, similar, hint }: WorkerError, ignored: IgnoreRules | undefined): string | undefined {
  if (ignoredBy !== undefined) {
    const text = (ignored?.text ?? '').split('\n')[ignoredBy - 1]?.trim() ?? '';
    return `${basename(ignored?.file ?? '.dockerignore')} line ${ignoredBy} ("${text}") leaves it out`;
  }
  return similar?.length ? `did you mean ${similar.map((name) => `"${name}"`).join(' or ')}?` : hint;
}

/** The word's own place in the instruction where it stands there as it is, between spaces or quotes; else the whole instruction. */
export function rangeOfSource(origin: SourceRange, word: string): SourceRange {
  const lines = origin.text?.split('\n').slice(0, origin.end.line) ?? [];
  const pattern = new RegExp(`(?<=[\\s"[,]|^)${RegExp.escape(word)}(?=[\\s"\\],]|$)`);
  let before = origin.start.offset - byteLength(lines[origin.start.line - 1]?.slice(0, origin.start.column - 1) ?? '');
  for (const [index, line] of lines.entries()) {
    if (index < origin.start.line - 1) continue;
    const found = word === '' ? null : pattern.exec(line);
    if (found) {
      const place = (end: number) => ({
        line: index + 1,
        column: [...line.slice(0, end)].length + 1,
        offset: before + byteLength(line.slice(0, end)),
      });
      return { ...origin, start: place(found.index), end: place(found.index + word.length) };
    }
    before += byteLength(line) + 1;
  }
  return origin;
}

const byteLength = (text: string): number => Buffer.byteLength(text);

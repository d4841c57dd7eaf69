import { expandWords } from '../../../grammar/words/expand.ts';
import type { StepView } from './rule.ts';

interface ExposedPort {
  /** As it stands after expansion. */
  readonly text: string;
  readonly address: string;
  readonly hostPort: string;
  /** As written; empty where there is none. */
  readonly protocol: string;
}

/** What EXPOSE names, in the order in which BuildKit sorts the words, up to the first that is no port. Empty for any other instruction. */
export function exposedPorts({ instruction: { name, args }, state, build }: StepView): readonly ExposedPort[] {
  if (name !== 'EXPOSE') return [];
  const ports: ExposedPort[] = [];
  const words = args.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  for (const word of words) {
    const expansion = expandWords(word, (variable) => state.scope.get(variable), { escape: build.escape, quotes: 'remove' });
    if (expansion.error !== undefined) return [];
    for (const text of expansion.words) {
      const port = parse(text);
      if (!port) return ports;
      ports.push(port);
    }
  }
  return ports;
}

/** Source: BuildKit, `splitParts` and `splitProtoPort`. */
function parse(text: string): ExposedPort | undefined {
  const parts = text.split(':');
  const slash = parts.at(-1)?.split(/\/(.*)/s) ?? [];
  const [port = '', protocol = ''] = slash;
  if (port === '' || !/^(?:tcp|udp|sctp)?$/i.test(protocol)) return undefined;
  return { text, address: parts.slice(0, -2).join(':'), hostPort: parts.at(-2) ?? '', protocol };
}

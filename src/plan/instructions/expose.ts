import { expandToWords, spend } from '../expansion.ts';
import { plainList } from '../go-format.ts';
import { parsePorts } from '../ports.ts';
import { addHistory } from '../stage-state.ts';
import { invalid, rangeOfArg, type Step } from '../step.ts';

/** EXPOSE: words may expand to several, ranges stand for each of their ports. */
export function lowerExpose(step: Step): void {
  const { instruction, state, build } = step;
  const words = instruction.args.map((word, index) => ({ word, range: rangeOfArg(step, index) }));
  // BuildKit sorts the words before it expands them, and the row of history shows that order.
  words.sort((a, b) => Buffer.compare(Buffer.from(a.word), Buffer.from(b.word)));
  const ports = words.flatMap(({ word, range }) =>
    expandToWords(word, state.scope, { ...build, range }).flatMap((text) => portsOf(step, text, range)),
  );
  for (const port of ports) state.named.ports.add(port);
  addHistory(state, `EXPOSE ${plainList(ports)}`);
}

function portsOf(step: Step, text: string, range: ReturnType<typeof rangeOfArg>): readonly string[] {
  const ports = parsePorts(text);
  if (ports) {
    spend(ports.join(' ').length, { ...step.build, range });
    return ports;
  }
  throw invalid(step, `"${text}" is not a port`, { range, hint: 'a port is written 80, 53/udp or 8000-8010/tcp' });
}

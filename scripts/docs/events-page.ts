import type { BuildEvent } from '../../src/progress/events.ts';
import { renderJson } from '../../src/progress/json.ts';
import { events } from './event-examples.ts';
import { code, generatedFrom, markdownPage, markdownTable } from './markdown.ts';

/** docs/events.md: every type of event, its fields, and an example as `--progress json` prints it. */
export function eventsPage(): string {
  return markdownPage([
    '# Events of a build',
    generatedFrom('the descriptions in scripts/docs/event-examples.ts, which must fit src/progress/events.ts'),
    'A build tells what it does as a stream of events. `cooper build --progress json` prints them to standard error, one JSON object per line and ' +
      'nothing else between them; in the library they are what iterating over a build gives, typed as `BuildEvent`. The text that people see is drawn ' +
      'from this stream, so it holds everything that they are told.',
    "```ts\nimport { build } from 'cooper';\n\nconst running = build({ context: '/src/app', root: '/var/lib/cooper' });\n" +
      "for await (const event of running) if (event.type === 'vertex.failed') console.error(event.message);\nconst { digest } = await running.result;\n```",
    'What the cache did not answer:',
    '```\ncooper build --progress json . 2>events.jsonl\njq -r \'select(.type == "vertex.completed" and (.cached | not)) | .vertex\' events.jsonl\n```',
    'Each event has `type`, and `time` in milliseconds since the epoch. Exactly one of `build.completed` and `build.failed` ends the stream. Events of one ' +
      'vertex or task come in the order in which they are listed here; those of several are mixed, as they run at the same time. A reader should pass ' +
      'over types and fields that it does not know: new ones may come, those that are there keep their meaning. What is marked with `?` may be missing.',
    'A vertex is a piece of work in the graph: a base image, the build context, an instruction that makes files. Its digest is the same in every event ' +
      'about it, and its name is what people see. A task is work outside the graph.',
    'A place in a Dockerfile (`range`) goes from `start` up to, but without, `end`. Lines and columns count from 1, columns in characters; `offset` counts ' +
      'bytes from 0. In the library it has the whole text of the file too (`text`).',
    ...Object.entries(events).flatMap(([type, description]) => section(type, description)),
  ]);
}

/** A description, whatever its event's type is. */
interface Described {
  readonly meaning: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly example: BuildEvent;
}

/** Fields that some events of a type lack: those that `exactOptionalPropertyTypes` lets one leave out. */
const optional: readonly string[] = ['range', 'hint', 'notes', 'total', 'digest', 'configDigest', 'rule', 'description', 'url'];

function section(type: string, { meaning, fields, example }: Described): string[] {
  const mayBeMissing = (name: string): boolean => optional.includes(name) || (type === 'warning' && name === 'code');
  const rows = Object.entries(fields).map(([name, what]) => [code(mayBeMissing(name) ? `${name}?` : name), what]);
  return [`## ${type}`, meaning, markdownTable(['field', 'what it is'], rows), `\`\`\`json\n${renderJson(example)}\`\`\``];
}

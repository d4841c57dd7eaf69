import type { Digest } from '../../src/oci/digest.ts';
import type { BuildEvent } from '../../src/progress/events.ts';

type Of<Type extends BuildEvent['type']> = Extract<BuildEvent, { readonly type: Type }>;

/** What is told of one type of event. The compiler sees to it that no type and no field is left out. */
export interface Description<Type extends BuildEvent['type']> {
  readonly meaning: string;
  readonly fields: { readonly [Field in Exclude<keyof Of<Type>, 'type' | 'time'>]-?: string };
  readonly example: Of<Type>;
}

const base = `sha256:${'1'.repeat(64)}` as Digest;
const make = `sha256:${'2'.repeat(64)}` as Digest;
const manifest = `sha256:${'3'.repeat(64)}` as Digest;
const config = `sha256:${'4'.repeat(64)}` as Digest;
const time = 1795233600000;
const vertex = 'digest of the vertex';
const id = 'the task; groups its events';
const range = { file: 'Dockerfile', start: { line: 2, column: 1, offset: 15 }, end: { line: 2, column: 9, offset: 23 } };

/** In the order in which they come. */
export const events: { readonly [Type in BuildEvent['type']]: Description<Type> } = {
  'build.started': {
    meaning: 'Always the first.',
    fields: { target: 'the stage that was asked for; empty: the last one' },
    example: { type: 'build.started', time, target: '' },
  },
  plan: {
    meaning:
      'The whole graph, once the Dockerfile is read and its base images are known, before any vertex starts. A build that fails before has none. Vertices ' +
      'are in the order of the Dockerfile; `inputs` are vertices of the same list.',
    fields: { vertices: 'digest, name and inputs of each' },
    example: {
      type: 'plan',
      time,
      vertices: [
        { vertex: base, name: '[1/2] FROM registry.example/debian:12', inputs: [] },
        { vertex: make, name: '[2/2] RUN make', inputs: [base] },
      ],
    },
  },
  'vertex.started': {
    meaning:
      'A vertex runs now. One that the cache answers may be completed without ever having started, and one that nothing needs has no events.',
    fields: { vertex, name: 'its name, as in the plan' },
    example: { type: 'vertex.started', time, vertex: make, name: '[2/2] RUN make' },
  },
  'vertex.output': {
    meaning:
      'What a program of a RUN wrote, in pieces as they came: a piece may end within a line. It is as the program wrote it, with its control characters.',
    fields: { vertex, stream: '`stdout` or `stderr`', text: 'the piece' },
    example: { type: 'vertex.output', time, vertex: make, stream: 'stdout', text: 'cc -c main.c\n' },
  },
  'vertex.progress': {
    meaning: 'How far a vertex is.',
    fields: { vertex, what: 'what is counted', current: 'how much is done', total: 'how much there is, where that is known' },
    example: { type: 'vertex.progress', time, vertex: base, what: 'layers', current: 1, total: 3 },
  },
  'vertex.completed': {
    meaning: 'A vertex has its result.',
    fields: { vertex, cached: 'whether an earlier build had made it' },
    example: { type: 'vertex.completed', time, vertex: make, cached: false },
  },
  'vertex.failed': {
    meaning: 'A vertex failed by itself. Those that are given up because of it end without an event; the build ends with `build.failed`.',
    fields: { vertex, message: 'why' },
    example: { type: 'vertex.failed', time, vertex: make, message: '[2/2] "make" ended with exit status 127' },
  },
  warning: {
    meaning: 'Something that does not end the build, at any time.',
    fields: {
      message: 'what it is',
      code: 'its kind, where it has one',
      range: 'where in the Dockerfile, where that is known: for a rule, whole lines',
      rule: 'the rule of the linter that it is from: the name of a page in [rules](rules/README.md); `code` is the same then',
      description: 'what that rule asks for',
      url: 'where that rule is described',
    },
    example: {
      type: 'warning',
      time,
      code: 'MaintainerDeprecated',
      message: 'Maintainer instruction is deprecated in favor of using label',
      range,
      rule: 'MaintainerDeprecated',
      description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
      url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
    },
  },
  'task.started': {
    meaning: 'Work that is no vertex begins: a blob of a base image is fetched, an image or a blob is pushed, an output is written.',
    fields: { id, name: 'what it is, for people' },
    example: { type: 'task.started', time, id: `pull ${base}`, name: `pull ${base}` },
  },
  'task.progress': {
    meaning: 'How far a task is.',
    fields: { id, current: 'bytes that are done', total: 'bytes that there are, where that is known' },
    example: { type: 'task.progress', time, id: `pull ${base}`, current: 1048576, total: 48496211 },
  },
  'task.completed': {
    meaning: 'A task is done.',
    fields: { id },
    example: { type: 'task.completed', time, id: `pull ${base}` },
  },
  'task.failed': {
    meaning:
      'A task failed. With an output or a push the build ends then, with `build.failed`; without a cache mount of `--cache-from` it goes on. ' +
      'Tasks that are given up because something else failed, and blobs on their way, have no such event.',
    fields: { id, message: 'what went wrong' },
    example: { type: 'task.failed', time, id: 'import cache mount npm', message: 'the layer is damaged' },
  },
  'build.completed': {
    meaning: 'The last one of a build that succeeded: the image is in the store, and wherever else it was to go.',
    fields: {
      digest: "of the image's manifest: the one that a push has",
      configDigest: "of the image's config: what Docker calls the image's id",
      tags: 'full references that name the image now',
    },
    example: { type: 'build.completed', time, digest: manifest, configDigest: config, tags: ['docker.io/library/app:latest'] },
  },
  'build.failed': {
    meaning:
      'The last one of a build that did not succeed. Codes are those of [cli.md](cli.md#errors); the exit status depends on the code.',
    fields: {
      code: 'the kind of error',
      message: 'what is wrong, in one sentence',
      range: 'where in the Dockerfile, where it is about a place there',
      hint: 'what to do next, where that is known',
      notes: 'further lines for people, as the last lines of output',
    },
    example: {
      type: 'build.failed',
      time,
      code: 'RUN_FAILED',
      message: '[2/2] "make" ended with exit status 127',
      range,
      hint: 'exit status 127: a program was not found in the image',
      notes: ['/bin/sh: 1: make: not found'],
    },
  },
};

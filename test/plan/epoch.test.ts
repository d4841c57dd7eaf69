// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GitSpec, HttpSpec, Spec } from '../../src/graph/spec.ts';
import { vertex } from '../../src/graph/vertex.ts';
import type { PlanOptions } from '../../src/plan/plan-options.ts';
import { planOf, testErrors } from './plan-of.ts';

const epoch = (value: string): PlanOptions => ({ buildArgs: { SOURCE_DATE_EPOCH: value } });
const git: GitSpec = {
  kind: 'git',
  remote: 'https://host.test/a.git',
  keepGitDir: false,
  submodules: true,
  mtime: 'checkout',
  fetchByCommit: false,
};

interface Row {
  readonly name: string;
  readonly text: string;
  readonly options?: PlanOptions;
  readonly epoch: number | undefined;
  /** What `ARG SOURCE_DATE_EPOCH` gives; `-` for nothing. */
  readonly arg?: string;
  readonly warnings?: readonly string[];
}

const label = 'ARG SOURCE_DATE_EPOCH\nLABEL v=${SOURCE_DATE_EPOCH--}';
const fetchingStage = 'FROM scratch AS source\nARG v=1\nADD https://host.test/$v.tar /\nFROM scratch\n';

// Source of the wanted values: BuildKit 0.32.2, dockerfile2llb/epoch.go, and builds by it.
const rows: readonly Row[] = [
  { name: 'none', text: `FROM scratch\n${label}`, epoch: undefined, arg: '-' },
  { name: 'a build argument', text: `FROM scratch\n${label}`, options: epoch('100'), epoch: 100, arg: '100' },
  { name: 'zero', text: `FROM scratch\n${label}`, options: epoch('0'), epoch: 0, arg: '0' },
  { name: 'before 1970', text: `FROM scratch\n${label}`, options: epoch('-5'), epoch: -5, arg: '-5' },
  { name: 'is given in one spelling', text: `FROM scratch\n${label}`, options: epoch('+0100'), epoch: 100, arg: '100' },
  { name: 'no negative zero', text: `FROM scratch\n${label}`, options: epoch('-0'), epoch: 0, arg: '0' },
  { name: 'an empty one is none', text: `FROM scratch\n${label}`, options: epoch(''), epoch: undefined, arg: '-' },
  { name: 'an ARG before the first FROM', text: `ARG SOURCE_DATE_EPOCH=7\nFROM scratch\n${label}`, epoch: 7, arg: '7' },
  {
    name: 'an empty build argument over such an ARG',
    text: `ARG SOURCE_DATE_EPOCH=7\nFROM scratch\n${label}`,
    options: epoch(''),
    epoch: undefined,
    arg: '-',
  },
  {
    name: 'an ARG of a stage is a variable only',
    text: 'FROM scratch\nARG SOURCE_DATE_EPOCH=7\nLABEL v=$SOURCE_DATE_EPOCH',
    epoch: undefined,
    arg: '7',
  },
  { name: 'the environment', text: `FROM scratch\n${label}`, options: { environment: { SOURCE_DATE_EPOCH: '9' } }, epoch: 9, arg: '9' },
  {
    name: 'a build argument before the environment',
    text: `FROM scratch\n${label}`,
    options: { ...epoch('8'), environment: { SOURCE_DATE_EPOCH: '9' } },
    epoch: 8,
    arg: '8',
  },
  { name: 'is no variable without an ARG', text: 'FROM scratch\nLABEL v=${SOURCE_DATE_EPOCH--}', options: epoch('8'), epoch: 8, arg: '-' },
  {
    name: 'a local context has no time',
    text: `FROM scratch\n${label}`,
    options: epoch('context'),
    epoch: undefined,
    arg: '-',
    warnings: ['SourceDateEpochUnknown'],
  },
  {
    name: 'a context that is fetched',
    text: `FROM scratch\n${label}`,
    options: { ...epoch('context'), mainContext: vertex<Spec>(git, [], 'context') },
    epoch: 1000,
    arg: '1000',
  },
  {
    name: 'a named context',
    text: `FROM scratch\n${label}`,
    options: { ...epoch('repo'), namedContexts: new Map([['repo', { kind: 'files', vertex: vertex<Spec>(git, [], 'context') }]]) },
    epoch: 1000,
    arg: '1000',
  },
  { name: 'a stage with one remote ADD', text: `${fetchingStage}${label}`, options: epoch('Source'), epoch: 2000, arg: '2000' },
];

const times = async (source: HttpSpec | GitSpec): Promise<number> => {
  if (source.kind === 'http') assert.equal(source.url, 'https://host.test/1.tar');
  return source.kind === 'git' ? 1000 : 2000;
};

for (const { name, text, options, epoch: want, arg, warnings = [] } of rows) {
  test(`SOURCE_DATE_EPOCH: ${name}`, async () => {
    const plan = await planOf(text, { ...options, sourceTime: times });
    assert.equal(plan.epoch, want);
    assert.equal(plan.config.Labels?.v, arg);
    assert.deepEqual(
      plan.warnings.map(({ code }) => code),
      warnings,
    );
  });
}

test('SOURCE_DATE_EPOCH is a field of every step that makes a layer', async () => {
  const { vertices } = await planOf('FROM debian\nCOPY a b\nCOPY <<E /c\nE\nRUN x\nWORKDIR /d', epoch('100'));
  const made = vertices.filter(({ spec }) => ['copy', 'exec', 'mkdir'].includes(spec.kind));
  assert.deepEqual(
    made.map(({ spec }) => ('epoch' in spec ? spec.epoch : undefined)),
    [100, 100, 100, 100],
  );
});

const stage = (lines: string) =>
  ({ text: `FROM scratch AS a\n${lines}\nFROM scratch`, options: epoch('a'), code: 'DOCKERFILE_INVALID' }) as const;

testErrors('SOURCE_DATE_EPOCH', [
  { name: 'a name of nothing', text: 'FROM scratch AS source', options: epoch('sorce'), code: 'ARG_INVALID', hint: /"source"/ },
  { name: 'a number with a fraction', text: 'FROM scratch', options: epoch('1.5'), code: 'ARG_INVALID' },
  { name: 'beyond the year 9999', text: 'FROM scratch', options: epoch('253402300800'), code: 'ARG_INVALID', hint: /date/ },
  {
    name: 'a stage on an image',
    text: 'FROM debian AS a\nADD https://host.test/x /',
    options: epoch('a'),
    code: 'DOCKERFILE_INVALID',
    at: '1:1',
  },
  { name: 'a stage with a RUN', ...stage('RUN x'), at: '2:1', message: /RUN/ },
  { name: 'a stage with two ADDs', ...stage('ADD https://host.test/x /\nADD https://host.test/y /'), at: '3:1', message: /second/ },
  { name: 'a stage that adds a file', ...stage('ADD x /'), at: '2:1' },
  { name: 'a stage that adds two files', ...stage('ADD https://host.test/x https://host.test/y /z/'), at: '2:1' },
  { name: 'a stage that adds nothing', ...stage('ARG x'), at: '1:1', message: /nothing/ },
]);

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { FileAttributes, Selection } from '../../src/worker/protocol.ts';
import { Worker } from '../../src/worker/worker.ts';
import { foundIn } from '../support/found-in.ts';
import { temporaryFolder } from '../support/store.ts';

// Layers with a secret in one of its forms, written by other encoders than the worker's.

const value = 'tok+3n/of~the "däy"\nnext';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let cleanup: AsyncDisposableStack;
let folder: string;
let worker: Worker;

before(async () => {
  cleanup = new AsyncDisposableStack();
  folder = cleanup.use(await temporaryFolder()).path;
  await mkdir(join(folder, 'files'));
  worker = cleanup.use(await Worker.start({ root: join(folder, 'store') }));
  await worker.call('handle.open', { handle: 'files', path: join(folder, 'files'), access: 'read' });
  await worker.call('secret.put', { id: 'token', base64: base64(`${value}\n`) });
  await worker.call('secret.put', { id: 'free', base64: base64('may-be-anywhere'), scan: false });
});
after(() => cleanup.disposeAsync());

async function copy(content: string | Buffer) {
  await writeFile(join(folder, 'files/file'), content);
  const selection: Selection = {
    source: { kind: 'handle', handle: 'files', ignore: [] },
    sources: ['file'],
    exclude: [],
    parents: false,
    unpack: false,
  };
  const attributes: FileAttributes = {};
  return worker.call('file.copy', {
    ...{ parent: [], selections: [selection], destination: '/copy', attributes, link: false, form: 'gzip', snapshot: true },
  });
}

for (const [how, content, said] of [
  ['as it is', value, ''],
  ['in a line', `token=${value}; more`, ''],
  ['base64', base64(value), ' as base64'],
  ['base64 of a file', base64(`${value}\n`), ' as base64'],
  ['base64 after one byte', base64(`a${value}bc`), ' as base64'],
  ['base64 after two bytes', base64(`ab${value}`), ' as base64'],
  ['base64 for URLs', Buffer.from(`user:${value}`).toString('base64url'), ' as base64'],
  ['base64 in lines', base64(`${'x'.repeat(50)}${value}${'y'.repeat(50)}`).replaceAll(/.{76}/g, '$&\n'), ' as base64'],
  ['base64 in indented lines', base64(`${'x'.repeat(50)}${value}`).replaceAll(/.{64}/g, '$&\r\n    '), ' as base64'],
  ['encodeURIComponent', `?a=${encodeURIComponent(value)}&b`, ' encoded for a URL'],
  ['a form', new URLSearchParams({ a: value }).toString(), ' encoded for a URL'],
  ['in lower case', encodeURIComponent(value).replaceAll(/%../g, (code) => code.toLowerCase()), ' encoded for a URL'],
  ['JSON', JSON.stringify({ value }), ' escaped for JSON'],
  ['JSON of ASCII', JSON.stringify({ value }).replaceAll('ä', '\\u00e4'), ' escaped for JSON'],
  ['hex', Buffer.from(value).toString('hex'), ' in hex'],
  ['behind 3 MiB', `${'.'.repeat(3 << 20)}${value}`, ''],
] as const) {
  test(`no layer holds it: ${how}`, async () => {
    await assert.rejects(copy(`${content}\n`), { code: 'SECRET_LEAKED', message: `"/copy" holds the secret "token"${said}` });
  });
}

test('nothing is kept of these layers', async () => {
  // What one of them wrote is moved away, and deleted with the end of the session at the latest.
  await worker[Symbol.asyncDispose]();
  assert.deepEqual(foundIn(join(folder, 'store'), [value, 'tok+3n', base64(value).slice(0, -4), 'copy']), []);
  worker = cleanup.use(await Worker.start({ root: join(folder, 'store') }));
  await worker.call('handle.open', { handle: 'files', path: join(folder, 'files'), access: 'read' });
});

test('what is near to it, or may be anywhere, is no secret', async () => {
  await worker.call('secret.put', { id: 'token', base64: base64(`${value}\n`) });
  await worker.call('secret.put', { id: 'free', base64: base64('may-be-anywhere'), scan: false });
  await copy(`${value.slice(1)} ${value.slice(0, -1)} may-be-anywhere ${base64(value.slice(0, -1))}`);
  // Nobody looks into compressed files.
  await copy(gzipSync(value));
});

test('a layer of an earlier build is searched when it is asked for', async () => {
  const made = await copy(`${'x'.repeat(1 << 20)}later-a-secret${'y'.repeat(5000)}`);
  const layer = { diffID: made.diffID, descriptor: made.blob ?? assert.fail() };
  await worker.call('layer.search', { layer });
  await worker.call('secret.put', { id: 'later', base64: base64('later-a-secret') });
  await assert.rejects(worker.call('layer.search', { layer }), { code: 'SECRET_LEAKED', message: '"/copy" holds the secret "later"' });
  await worker.call('secret.put', { id: 'later', base64: base64('later-a-secret'), scan: false });
  await worker.call('layer.search', { layer });
});

test('the forms of a secret are told, and none of a short one', async () => {
  const told = await worker.call('secret.put', { id: 'a', base64: base64('hunter22') });
  const forms = told.forms.map((form) => Buffer.from(form, 'base64').toString());
  assert.ok(forms.includes('hunter22') && forms.includes(base64('hunter22').slice(0, 10)));
  assert.deepEqual(await worker.call('secret.put', { id: 'a', base64: base64('hunter2') }), { forms: [], lines: [] });
});

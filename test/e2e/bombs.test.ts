import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import type { Cooper } from '../support/cooper.ts';
import { forgedBench } from '../support/forged-bench.ts';
import { type ForgedRegistry, forge } from '../support/forged-images.ts';
import { modes } from '../support/modes.ts';
import { descendants } from '../support/processes.ts';

// Archives of a few kilobytes that ask for gigabytes. What counts is the memory of cooper and of its worker: their peak, as the kernel
// knows it (VmHWM). The limits themselves, and the time that ways through symlinks take: native/src/layer/tests/budget.rs.

const mib = 2 ** 20;

/** What both together may have, in MiB: some 100 are theirs without any archive. */
const most = 400;

/** Plain bytes, piece by piece; the same piece may come again and again. */
type Pieces = Generator<Uint8Array>;

const end = Buffer.alloc(1024);

/** A ustar header with the right sum. Source: POSIX pax, "ustar Interchange Format". */
function header(name: string, { size = 0, type = '0' }: { size?: number; type?: string } = {}): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\x000000000\x000000000\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0        ', 136);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A PAX header with these records. */
function pax(records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + String(rest.length).length;
    if (String(length).length > String(rest.length).length) length++;
    return `${length}${rest}`;
  });
  const body = Buffer.from(lines.join(''));
  return Buffer.concat([header('x', { size: body.length, type: 'x' }), body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

interface Bomb {
  readonly name: string;
  readonly pieces: () => Pieces;
  readonly refused: RegExp;
}

const bombs: readonly Bomb[] = [
  {
    name: 'a PAX header of 8 GB',
    *pieces() {
      yield header('x', { size: 2 ** 33 - 1, type: 'x' });
      for (let at = 0; at < 4; at++) yield Buffer.alloc(mib);
    },
    refused: /header that is too long/,
  },
  {
    name: 'a GNU name of 8 GB',
    *pieces() {
      yield header('x', { size: 2 ** 33 - 1, type: 'L' });
      for (let at = 0; at < 4; at++) yield Buffer.alloc(mib);
    },
    refused: /header that is too long/,
  },
  {
    name: 'a header before a header before a header',
    *pieces() {
      for (let at = 0; at < 100; at++) yield pax({ comment: 'x' });
    },
    refused: /too many headers before an entry/,
  },
  {
    name: 'a name of 5,000 bytes',
    *pieces() {
      yield Buffer.concat([pax({ path: 'd/'.repeat(2500) }), header('f'), end]);
    },
    refused: /impossible path/,
  },
];

/** What xz makes of one byte, but with a window of 4 GiB in the header of its block, and the check that goes with that. */
const wideXz = Buffer.from(
  'fd377a585a0000016922de360200210128000000e6a011b301000078000000008316dc8c00011501a96334609042990d010000000001595a',
  'hex',
);

/** The header of a frame with a window of 2 GiB. */
const wideZstd = Buffer.from('28b52ffd00a8010000', 'hex');

async function gzipped(pieces: Pieces): Promise<Buffer> {
  const gzip = createGzip({ level: 1 });
  const chunks = gzip.toArray();
  gzip.write(header('good'));
  for (const piece of pieces) if (!gzip.write(piece)) await new Promise((resolve) => gzip.once('drain', resolve));
  gzip.end();
  return Buffer.concat(await chunks);
}

for (const mode of modes) {
  describe(`bombs as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let registry: ForgedRegistry;
    let cooper: Cooper;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ registry, cooper } = await forgedBench(mode, cleanup));
    });

    after(async () => cleanup?.disposeAsync());

    /** Builds, and looks at the peaks all the while. Gives the message and their sum in MiB. */
    async function watched(args: readonly string[], input?: Uint8Array): Promise<{ message: string; peak: number }> {
      const running = cooper.start(['build', '--progress', 'json', '--no-cache', ...args], input ? { input } : {});
      const peaks = new Map<number, number>();
      let over = false;
      void running.ended.then(() => {
        over = true;
      });
      while (!over) {
        for (const pid of [running.pid, ...descendants(running.pid).map((each) => each.pid)])
          peaks.set(pid, Math.max(peaks.get(pid) ?? 0, await peakOf(pid)));
        await sleep(20);
      }
      const { stderr } = await running.ended;
      const line = stderr.split('\n').find((each) => each.includes('"build.failed"')) ?? '{}';
      const { code, message } = JSON.parse(line);
      return { message: `${code}: ${message}`, peak: [...peaks.values()].reduce((sum, each) => sum + each, 0) / 1024 };
    }

    /** As a layer, and as a context: two readers. */
    async function refusals(blob: Buffer): Promise<string[]> {
      assert.ok(blob.length < 8 * mib, `${blob.length}`);
      const image = await forge([{ blob, diffID: digestOf(Buffer.from('anything')) }]);
      const own = `bomb${registry.images.size}`;
      registry.images.set(own, image);
      const layer = await cooper.context('layer', { Dockerfile: `FROM ${registry.host}/${own}:1\nCOPY Dockerfile /\n` });
      const messages: string[] = [];
      for (const { message, peak } of [await watched([layer]), await watched(['-'], blob)]) {
        assert.ok(peak > 20 && peak < most, `${message}: ${Math.round(peak)} MiB`);
        messages.push(message);
      }
      return messages;
    }

    for (const { name, pieces, refused } of bombs) {
      test(name, async () => {
        for (const message of await refusals(await gzipped(pieces()))) {
          assert.match(message, /^(IMAGE_INVALID|CONTEXT_INVALID): /);
          assert.match(message, refused);
        }
      });
    }

    for (const [kind, blob] of [
      ['xz', wideXz],
      ['zstd', wideZstd],
    ] as const) {
      test(`${kind} with a window of gigabytes`, async () => {
        const [asLayer, asContext] = await refusals(blob);
        const reason = 'asks for a window of more than 128 MiB to be unpacked';
        assert.equal(asLayer, `IMAGE_INVALID: the archive ${reason}`);
        assert.equal(asContext, `CONTEXT_INVALID: the archive of the build context cannot be unpacked: it ${reason}`);
        // It is not copied as a file either.
        const added = await cooper.context('added', { Dockerfile: 'FROM scratch\nADD wide.tar /\n' });
        await writeFile(join(added, 'wide.tar'), blob);
        assert.equal((await watched([added])).message, `COPY_FAILED: "wide.tar" cannot be unpacked: it ${reason}`);
      });
    }
  });
}

/** In KiB; 0 where it has ended. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(join('/proc', String(pid), 'status'), 'utf8').catch(() => '');
  return Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0);
}

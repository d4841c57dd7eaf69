import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { History } from '../../src/oci/image-config.ts';
import type { Base } from './bases.ts';

/** An image in a directory of blobs. */
export interface StoredImage {
  readonly blobs: string;
  /** Of its manifest, or of an index whose first manifest it is. */
  readonly manifest: string;
}

/** What an image holds, as image_tree.py tells it. */
export interface ImageContent {
  /** One line for each path, sorted; of an image on the base, only what differs from it. */
  readonly tree: readonly string[];
  readonly config: ToldConfig;
}

/** An image config without times and layers, and with those rows of the history only that stand above the base's. */
export interface ToldConfig {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history: readonly History[];
  readonly [key: string]: unknown;
}

/** Reads images by one process for all: `await using reader = startReader(base)`. Questions may overlap. */
export function startReader(base: StoredImage): { read(image: StoredImage): Promise<ImageContent> } & AsyncDisposable {
  const child = spawn('python3', [join(import.meta.dirname, 'image_tree.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: ((answer: string) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  const ended = once(child, 'exit');
  return {
    async read({ blobs, manifest }) {
      const { promise, resolve } = Promise.withResolvers<string>();
      waiting.push(resolve);
      child.stdin.write(`${JSON.stringify({ blobs, manifest, base: [base.blobs, base.manifest] })}\n`);
      const answer: ImageContent & { error?: string } = JSON.parse(await Promise.race([promise, ended.then(() => '{"error":"it ended"}')]));
      if (answer.error !== undefined) throw new Error(`the image cannot be read: ${answer.error}`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

/** What a base's layout holds, for the reader and for a peer. */
export async function storedBase({ layout }: Base): Promise<StoredImage> {
  const { default: index } = await import(join(layout, 'index.json'), { with: { type: 'json' } });
  return { blobs: join(layout, 'blobs'), manifest: index.manifests[0].digest };
}

/** Tree and config as lines that can be compared. */
export function contentLines({ tree, config: { config = {}, history, ...rest } }: ImageContent): readonly string[] {
  const said = (name: string, value: unknown): string => `${name} ${JSON.stringify(value)}`;
  return [
    ...tree,
    ...Object.entries(rest).map(([name, value]) => said(name, value)),
    ...Object.entries(config).map(([name, value]) => said(`config.${name}`, value)),
    ...history.map((row, index) => said(`history ${index + 1}`, row)),
  ];
}

const time = / @-?\d+$/;

/** `ours` without the times of those paths of which `theirs` has none: what a build makes has the time of its making. */
export function withoutFreeTimes(theirs: readonly string[], ours: readonly string[]): readonly string[] {
  const path = (line: string): string => line.slice(0, line.indexOf(' '));
  const fixed = new Set(theirs.filter((line) => time.test(line)).map(path));
  return ours.map((line) => (line.startsWith('/') && !fixed.has(path(line)) ? line.replace(time, '') : line));
}

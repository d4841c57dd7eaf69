import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Builder, buildah, call, cooper } from './tools.ts';

/** The base image of the benchmarks: a static busybox with what they call. */
export const baseName = 'localhost/bench-base';
const applets = ['sh', 'true', 'cat', 'mkdir', 'touch', 'echo', 'rm'];

/** A folder with everything of one run, and both builders with the base image. Nothing in it is deleted before the end: see README.md. */
export class Workspace implements Disposable {
  readonly directory: string;
  /** The files of the base image. */
  readonly base: string;
  readonly cooper: Builder;
  readonly buildah: Builder;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'cooper-bench-'));
    try {
      this.base = this.#makeBase();
      const dockerfile = this.file('base.Dockerfile', 'FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sh"]\n');
      this.cooper = cooper(this.directory);
      this.cooper.build(dockerfile, this.base, baseName);
      this.buildah = this.#quickestBuildah(dockerfile);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Writes a file and gives its path. */
  file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text);
    return path;
  }

  /** Makes a directory and gives its path. */
  folder(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    // buildah leaves its storage mounted on itself.
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((target) => target.startsWith(`${this.directory}/`));
    for (const target of mounts.toReversed()) call('umount', [target]);
    rmSync(this.directory, { recursive: true });
  }

  #makeBase(): string {
    const bin = this.folder('base/bin');
    for (const name of ['etc', 'tmp', 'srv']) this.folder(`base/${name}`);
    copyFileSync('/bin/busybox', join(bin, 'busybox'));
    for (const applet of applets) symlinkSync('busybox', join(bin, applet));
    return join(this.directory, 'base');
  }

  /** With the kernel's overlay where it can have it: vfs copies every layer whole, which would be an easy win. */
  #quickestBuildah(dockerfile: string): Builder {
    try {
      const overlay = buildah(this.directory, 'overlay');
      overlay.build(dockerfile, this.base, baseName);
      return overlay;
    } catch (error) {
      process.stderr.write(`bench: buildah cannot use overlay, so it gets vfs: ${error instanceof Error ? error.message : error}\n`);
      const vfs = buildah(this.directory, 'vfs');
      vfs.build(dockerfile, this.base, baseName);
      return vfs;
    }
  }
}

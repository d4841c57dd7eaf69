import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Installation } from './cooper.ts';

/** A shell script in a terminal of its own, in which `cooper` is the command; someone types. */
export class TerminalSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #output = '';
  #wake: () => void = () => {};

  /** `root` is the store. The terminal is that of script(1), which gives the status of what ran in it. */
  constructor(installation: Installation, root: string, script: string) {
    const quoted = installation.command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const lines = `cooper() { ${quoted} "$@"; }\nstty rows 33 cols 101\n${script}`;
    this.#child = spawn('script', ['--quiet', '--return', '--flush', '--command', lines, '/dev/null'], {
      env: { ...process.env, ...installation.env, COOPER_ROOT: root, SHELL: '/bin/sh', TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin?.on('error', () => {}); // It may end without reading all.
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#wake();
    });
    this.#ended = once(this.#child, 'close').then(([status]) => {
      this.#wake();
      return Number(status ?? 255);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** All that was shown so far, with one character for the end of a line. */
  get output(): string {
    return this.#output.replaceAll('\r\n', '\n');
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until the terminal shows something. Throws when it ends without. */
  async shows(wanted: RegExp): Promise<void> {
    let over = false;
    void this.#ended.then(() => {
      over = true;
      this.#wake();
    });
    while (!wanted.test(this.output)) {
      if (over) throw new Error(`ended and never showed ${wanted}:\n${this.output}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The exit status of the script. */
  ended(): Promise<number> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

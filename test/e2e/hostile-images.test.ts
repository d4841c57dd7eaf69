import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Built } from '../support/cooper.ts';
import { type ForgedBench, filledEntry, forgedBench } from '../support/forged-bench.ts';
import { busyboxLayer, type Entry, forge, type LayerBytes } from '../support/forged-images.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { type TarEntry, tarOf } from '../support/tar.ts';

// Images and Dockerfiles that try to reach the machine by what a builder does around a RUN: mounts, stubs, masks, users, directories.
// `CANARY` stands for a folder of the machine, `UP` for the way to its root from anywhere.

interface Attack {
  readonly name: string;
  /** Put over a busybox. */
  readonly entries?: readonly Entry[];
  /** After FROM. */
  readonly lines: readonly string[];
  /** Code and message when it is refused. */
  readonly refused?: RegExp;
  /** What the steps print when it is not. */
  readonly prints?: string;
}

const link = (name: string, linkname: string): Entry => ({ name, linkname, type: 'symlink' });
const folder = (name: string): Entry => ({ name, type: 'directory', mode: 0o755 });
const file = (name: string, content = ''): Entry => ({ name, content, mode: 0o755 });

/** Archives of the context. */
const archives: Readonly<Record<string, readonly TarEntry[]>> = {
  'through.tar': [
    { name: 'l', type: 'symlink', linkname: 'CANARY' },
    { name: 'l/file', text: 'evil' },
  ],
  'out.tar': [
    { name: 'UPCANARY/file', text: 'evil' },
    { name: 'CANARY/abs', text: 'evil' },
  ],
  'hard.tar': [{ name: 'h', type: 'link', linkname: 'CANARY/file' }],
};

const attacks: readonly Attack[] = [
  // CVE-2026-41579: what is made in /dev before the machine is left.
  { name: '/dev is an absolute symlink', entries: [link('dev', 'CANARY')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/dev"/ },
  { name: '/dev is a relative symlink', entries: [link('dev', 'UPCANARY')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/dev"/ },
  { name: '/dev is a file', entries: [file('dev')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/dev"/ },
  // CVE-2019-19921 and its relatives: /proc that is another's.
  { name: '/proc is a symlink', entries: [link('proc', 'CANARY')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/proc"/ },
  { name: '/proc is a file', entries: [file('proc')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/proc"/ },
  { name: '/sys is a symlink', entries: [link('sys', 'UPCANARY')], lines: ['RUN true'], refused: /IMAGE_INVALID.*"\/sys"/ },
  {
    name: '/proc has files in the image',
    entries: [folder('proc'), folder('proc/self'), link('proc/keys', 'CANARY/file'), file('proc/self/status')],
    lines: ['RUN grep -c ^Seccomp: /proc/self/status; cat /proc/keys'],
    prints: '1\n',
  },
  // CVE-2025-31133 and CVE-2025-52565: what masks and terminals are made from.
  ...['CANARY/empty', '/proc/sys/kernel/core_pattern', 'UP/proc/sysrq-trigger'].map((to) => ({
    name: `/dev/null, /dev/console and /dev/pts lead to ${to}`,
    entries: [folder('dev'), link('dev/null', to), link('dev/console', to), link('dev/pts', dirname(to)), link('dev/ptmx', to)],
    lines: ['RUN test -c /dev/null && cat /proc/keys && ! echo "|/x" 2>/dev/null >/proc/sys/kernel/core_pattern'],
    prints: '',
  })),
  // Files that a builder mounts over.
  {
    name: '/etc/hosts and /etc/resolv.conf are symlinks',
    entries: [folder('etc'), link('etc/hosts', 'CANARY/hosts'), link('etc/resolv.conf', 'UPCANARY/new')],
    lines: ['RUN grep -c localhost /etc/hosts; (echo x >>/etc/hosts; echo x >>/etc/resolv.conf) 2>/dev/null || :'],
    prints: '2\n',
  },
  // CVE-2019-14271: the machine's users.
  {
    name: '/etc/passwd is a symlink',
    entries: [folder('etc'), link('etc/passwd', 'CANARY/passwd')],
    lines: ['USER spy', 'RUN id'],
    refused: /USER_NOT_FOUND.*"spy"/,
  },
  {
    name: '/etc/passwd is a fifo',
    entries: [folder('etc'), { name: 'etc/passwd', type: 'fifo' }],
    lines: ['RUN echo $HOME'],
    prints: '/\n',
  },
  {
    name: '/etc/passwd is what only root of the machine can read',
    entries: [folder('etc'), link('etc/passwd', '/proc/kmsg')],
    lines: ['RUN true'],
    refused: /IMAGE_INVALID: cannot open "\/etc\/passwd" of the image/,
  },
  {
    name: '/etc/group puts root into more groups than there can be',
    entries: [
      folder('etc'),
      file('etc/passwd', 'root:x:0:0::/:\n'),
      file('etc/group', Array.from({ length: 70_000 }, (_, number) => `g:x:${number}:root\n`).join('')),
    ],
    lines: ['RUN id -G'],
    refused: /IMAGE_INVALID: user "0" is in 70000 groups/,
  },
  // CVE-2024-40635 and CVE-2026-46680: ids that wrap, and names that look like ids.
  ...['4294967296', '4294967295', '99999999999', 'wrap', 'wrapgroup', '0:4294967296', '-1'].map((user) => ({
    name: `USER ${user}`,
    entries: [folder('etc'), file('etc/passwd', '99999999999:x:0:0::/:\nwrap:x:4294967295:1::/:\nwrapgroup:x:7:4294967295::/:\n')],
    lines: [`USER ${user}`, 'RUN id'],
    refused: /USER_NOT_FOUND/,
  })),
  // CVE-2019-5736: the builder's own binary as an interpreter, and as a program.
  { name: 'the shell is #!/proc/self/exe', entries: [file('bin/sh', '#!/proc/self/exe\n')], lines: ['RUN id'], refused: /RUN_FAILED/ },
  { name: 'the program is /proc/1/exe', lines: ['RUN ["/bin/sh", "-c", "exec 3<>/proc/1/exe || exit 9"]'], refused: /RUN_FAILED/ },
  // CVE-2024-21626, by a symlink of the image.
  { name: 'WORKDIR by a symlink to a descriptor', entries: [link('w', '/proc/self/fd/7')], lines: ['WORKDIR /w', 'RUN ls'], refused: /./ },
  { name: 'WORKDIR by a symlink to the machine', entries: [link('w', 'CANARY')], lines: ['WORKDIR /w', 'RUN ls'], prints: '' },
  { name: 'WORKDIR /proc/1/root', lines: ['WORKDIR /proc/1/root', 'RUN ls'], refused: /./ },
  // What keeps the container in cannot be hidden, by name or by symlink.
  ...['/proc', '/proc/self', '/proc/sys', '/sys', '/sys/fs', '/dev', '/', '/p', '/p/self/attr', '/s', '/d'].flatMap((target) =>
    ['tmpfs', 'cache'].map((type) => ({
      name: `a ${type} mount at ${target}`,
      entries: [link('p', 'proc'), link('s', '/sys'), link('d', 'UP/dev')],
      lines: [`RUN --mount=type=${type},target=${target} true`],
      refused: /nothing can be mounted (at|over) "/,
    })),
  ),
  // CVE-2024-23652: a stub's parent is replaced before the stub is taken away.
  ...['tmpfs', 'cache'].map((type) => ({
    name: `the parent of a ${type} mount becomes a symlink`,
    lines: [`RUN --mount=type=${type},target=/new/sub mv /new /old; ln -s CANARY /new; ls /old`],
    prints: 'sub\n',
  })),
  {
    name: 'the parent of a secret becomes a symlink',
    lines: ['RUN --mount=type=secret,id=s,target=/new/empty mv /new /old; ln -s CANARY /new'],
    prints: '',
  },
  // CVE-2024-1753, CVE-2024-23651, CVE-2024-11218: sources by symlink.
  {
    name: 'a bind source that is a symlink to /',
    entries: [link('link', '/')],
    lines: ['RUN --mount=type=bind,from=BASE,source=/link,target=/m ls -d /m/bin /mCANARY 2>/dev/null; true'],
    prints: '/m/bin\n',
  },
  {
    name: 'a bind source that is a symlink to a folder of the machine',
    entries: [link('link', 'CANARY')],
    lines: ['RUN --mount=type=bind,from=BASE,source=/link,target=/m ls /m'],
    refused: /COPY_SOURCE_MISSING/,
  },
  {
    name: 'a cache source that is a symlink',
    lines: [
      'RUN --mount=type=cache,id=a,target=/c rm -rf /c/sub; ln -s CANARY /c/sub',
      'RUN --mount=type=cache,id=a,source=sub,target=/m ls /m',
    ],
    refused: /COPY_SOURCE_MISSING|UNSUPPORTED/,
  },
  // CVE-2024-9675: ids that look like paths.
  ...['../../../..CANARY', 'CANARY', '..', '.'].map((id) => ({
    name: `a cache mount with the id ${id}`,
    // The id is no part of a step's key, so the command says it too.
    lines: [`RUN --mount=type=cache,id=${id},target=/c : "${id}"; touch /c/evil && rm -f /c/file && ls -A /c`],
    prints: 'evil\n',
  })),
  {
    name: 'a cache source with ..',
    lines: ['RUN --mount=type=cache,id=b,source=../../../../..CANARY,target=/c touch /c/evil'],
    refused: /COPY_SOURCE_MISSING|UNSUPPORTED/,
  },
  { name: 'a mount target with ..', lines: ['RUN --mount=type=tmpfs,target=/a/../../..CANARY touch CANARY/evil'], prints: '' },
  // Copies.
  {
    name: 'COPY --from through a symlink to the machine',
    entries: [link('link', 'CANARY')],
    lines: ['COPY --from=BASE /link/file /'],
    refused: /COPY_SOURCE_MISSING/,
  },
  { name: 'COPY to a symlink', entries: [link('link', 'CANARY')], lines: ['COPY evil /link/', 'RUN ls /link/'], prints: 'evil\n' },
  { name: 'COPY out of the context', lines: ['COPY ../../../../..CANARY/file /'], refused: /COPY_SOURCE_MISSING/ },
  { name: 'COPY of a symlink in the context', lines: ['COPY outside/file /'], refused: /COPY_SOURCE_MISSING/ },
  // CVE-2020-10696: an archive of the context, unpacked.
  { name: 'ADD of an archive with a file through a symlink', lines: ['ADD through.tar /x/'], refused: /leads to no directory/ },
  {
    name: 'ADD of an archive through a symlink, which is inside the destination',
    entries: [folder('x'), folder('xCANARY')],
    lines: ['ADD through.tar /x/', 'RUN cat /xCANARY/file'],
    prints: 'evil',
  },
  {
    name: 'ADD of an archive with paths that lead out',
    lines: ['ADD out.tar /x/', 'RUN cat /xCANARY/file /xCANARY/abs'],
    prints: 'evilevil',
  },
  { name: 'ADD of an archive with a hard link to the machine', lines: ['ADD hard.tar /x/'], refused: /hard link to/ },
  {
    name: 'ADD of an archive to a symlink',
    entries: [link('link', 'CANARY')],
    lines: ['ADD out.tar /link/', 'RUN cat CANARYCANARY/file'],
    prints: 'evil',
  },
];

for (const mode of modes) {
  describe(`hostile images as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let bench: ForgedBench;
    let busybox: LayerBytes;
    let corePattern: string;
    let images = 0;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      bench = await forgedBench(mode, cleanup);
      busybox = await busyboxLayer();
      corePattern = await readFile('/proc/sys/kernel/core_pattern', 'utf8');
    });

    after(async () => cleanup?.disposeAsync());

    afterEach(async () => {
      await bench.canary.assertUntouched();
      assert.equal(await readFile('/proc/sys/kernel/core_pattern', 'utf8'), corePattern);
    });

    async function build(entries: readonly Entry[], lines: readonly string[], args: readonly string[] = []): Promise<Built> {
      const { registry, cooper, canary, filled } = bench;
      const name = `image${images++}`;
      const own = entries.map((each) => filledEntry(each, filled));
      registry.images.set(name, await forge([busybox, own]));
      const base = `${registry.host}/${name}:1`;
      const dockerfile = [`FROM ${base}`, ...lines.map((line) => filled(line).replaceAll('BASE', base)), ''].join('\n');
      const context = await cooper.context(name, { Dockerfile: dockerfile, evil: '' });
      await symlink(canary.path, join(context, 'outside'));
      for (const [archive, all] of Object.entries(archives)) {
        await writeFile(join(context, archive), await tarOf(...all.map((each) => filledEntry(each, filled))));
      }
      return cooper.build([...args, '--secret', `id=s,src=${join(canary.path, 'file')}`, context]);
    }

    for (const { name, entries = [], lines, refused, prints } of attacks) {
      test(name, async () => {
        const built = await build(entries, lines);
        const said = `${messageOf(built)}\n${outputOf(built)}`;
        assert.equal(built.status, refused ? 1 : 0, said);
        assert.doesNotMatch(said, /the canary sings/);
        if (refused) assert.match(messageOf(built), refused);
        else assert.equal(outputOf(built), prints);
      });
    }

    // Who reads them takes them from the machine's log, or waits for more.
    test('/etc/passwd is the kernel’s messages', {
      skip: mode.name === 'root' ? false : 'only root of the machine can read them',
    }, async () => {
      const built = await build([folder('etc'), link('etc/passwd', '/proc/kmsg')], ['RUN echo $HOME'], ['--userns', 'host']);
      assert.equal(outputOf(built), '/\n', messageOf(built));
    });

    test('WORKDIR at any descriptor', async () => {
      // The way there is the same in both modes: rootless a few will do.
      for (let number = 3; number <= (mode.name === 'root' ? 60 : 12); number += 4) {
        const four = [0, 1, 2, 3].map(async (more) => {
          const built = await build([], [`WORKDIR /proc/self/fd/${number + more}`, 'RUN pwd; ls; ls ../../../../..']);
          assert.notEqual(built.status, 0, `${number + more}: ${outputOf(built)}`);
          assert.equal(outputOf(built), '');
        });
        await Promise.all(four);
      }
    });

    test('cd to any descriptor', async () => {
      const script = 'n=3; while [ $n -le 60 ]; do (cd /proc/self/fd/$n 2>/dev/null && ls ..); n=$((n+1)); done; true';
      assert.equal(outputOf(await build([], [`RUN ${script}`])), '');
    });

    test('the worker’s binary is the same afterwards', async () => {
      const worker = join(dirname(bench.installation.command.at(-1) ?? ''), '../dist/cooper-worker');
      const sum = async (): Promise<string> =>
        createHash('sha256')
          .update(await readFile(worker))
          .digest('hex');
      const before = await sum();
      const evil =
        'RUN exec 9</proc/self/exe; (for each in 1 2 3 4 5; do for p in /proc/[0-9]*; do echo x >$p/exe; done; done) 2>/dev/null; true';
      await build([], [evil]);
      // That a container starts it is no harm: it has nobody to talk to there, and lies in sealed memory.
      await build([], ['RUN ["/proc/self/exe"]']);
      assert.equal(await sum(), before);
    });
  });
}

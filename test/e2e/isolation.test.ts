import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import { type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { attempt, compileProbe, look, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { tool } from '../support/tools.ts';

// What a RUN sees of the machine, and what it can do to it. docs/security.md has the table of attacks that this belongs to.

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Scripts, and what they print. Sets of capabilities are Docker's. */
const seen: readonly { name: string; script: string; want: string }[] = [
  { name: 'it is PID 1 and alone', script: 'for each in /proc/[0-9]*; do echo $each; done; echo $$', want: '/proc/1\n1\n' },
  { name: 'it has stdin, stdout and stderr, and no other descriptor', script: 'exec /probe fds', want: '0\n1\n2\n' },
  // The shell's own variables aside.
  {
    name: 'its environment is what the image says',
    script: 'env | grep -vE "^(SHLVL|PWD)=" | sort',
    want: `HOME=/root
${path}
`,
  },
  { name: 'its groups are those of the image', script: 'id -G', want: '0\n' },
  {
    name: 'its capabilities are Docker’s',
    script: 'grep -E "^Cap" /proc/self/status | tr "\\t" " "',
    want: ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']
      .map((set) => `Cap${set}: ${/Prm|Eff|Bnd/.test(set) ? '00000000a80425fb' : '0000000000000000'}\n`)
      .join(''),
  },
  { name: 'a filter of system calls is on', script: 'grep ^Seccomp: /proc/self/status', want: 'Seccomp:\t2\n' },
  { name: 'it may gain privileges by setuid', script: 'grep NoNewPrivs /proc/self/status', want: 'NoNewPrivs:\t0\n' },
  { name: 'it sees no keyring', script: 'cat /proc/keys', want: '' },
  { name: 'it sees no shared memory of others', script: 'tail -n +2 /proc/sysvipc/shm', want: '' },
  { name: 'it sees no message queue of others', script: 'ls /dev/mqueue', want: '' },
  { name: 'it sees no cgroup of the machine', script: 'grep -v ":/$" /proc/self/cgroup', want: '' },
  { name: 'its mounts begin with the root', script: 'cut -d" " -f5 /proc/self/mountinfo | head -n1', want: '/\n' },
  {
    name: 'no file of the machine is mounted',
    // Field 4: which part of a filesystem it is. A path of the machine would stand here.
    script:
      'cut -d" " -f4,5 /proc/self/mountinfo | grep -v "^/ " | grep -v " /proc/\\| /dev/\\| /sys/\\| /etc/\\(hosts\\|hostname\\|resolv.conf\\)$"',
    want: '',
  },
  {
    // Where the machine's ids or a wrong mode would let it write: the mounts themselves do not.
    name: 'what shows settings of the machine is read-only',
    script: `for path in /sys /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do
      [ ! -e $path ] || grep -q " $path ro" /proc/self/mountinfo || echo "$path"; done; grep -E " /sys/[^ ]* rw" /proc/self/mountinfo`,
    want: '',
  },
  {
    name: '/dev has the standard nodes only',
    script: 'ls /dev | tr "\\n" " "',
    // As runc has it, which names the kernel's memory where there is such a file.
    want: `${existsSync('/proc/kcore') ? 'core ' : ''}fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero `,
  },
  { name: 'they work', script: 'head -c2 /dev/zero | wc -c; head -c2 /dev/urandom | wc -c; echo x >/dev/null', want: '2\n2\n' },
  { name: 'the first process has nothing open outside', script: 'ls /proc/1/root /proc/1/cwd/../.. | grep -c canary', want: '0\n' },
];

/** Each must fail: a script of the shell ends with 0 when the attack works. */
const refused: readonly { name: string; script: string }[] = [
  { name: 'write a sysctl', script: 'echo x >/proc/sys/kernel/core_pattern' },
  { name: 'write the hostname’s sysctl', script: 'echo x >/proc/sys/kernel/hostname' },
  { name: 'write sysrq-trigger', script: 'echo h >/proc/sysrq-trigger' },
  { name: 'read kernel memory', script: 'head -c1 /proc/kcore | grep .' },
  { name: 'read the firmware', script: 'ls /sys/firmware | grep .' },
  { name: 'read the keys', script: 'grep . /proc/keys' },
  { name: 'read the timers', script: 'grep . /proc/timer_list' },
  { name: 'write to /sys', script: 'touch /sys/x || echo x >/sys/kernel/uevent_helper || mkdir /sys/fs/cgroup/x' },
  { name: 'mount', script: 'mount -t tmpfs none /tmp' },
  { name: 'mount /proc again, without masks', script: 'mkdir /p && mount -t proc none /p' },
  { name: 'make a mount writable', script: 'mount -o remount,rw /proc/sys' },
  { name: 'take a mask away', script: 'umount /proc/keys' },
  { name: 'leave its namespaces', script: 'unshare -m true || unshare -U true || nsenter -t 1 -m true' },
  { name: 'reboot', script: 'reboot -f' },
  { name: 'set the hostname', script: 'hostname other' },
  { name: 'see the ring buffer', script: 'dmesg | grep .' },
];

/** Devices that the machine has or could have: a disk, a loop device, kvm, tun, fuse, a console, memory, and null under another name. */
const devices = ['b 254 0', 'b 7 0', 'b 8 0', 'c 10 232', 'c 10 200', 'c 10 229', 'c 4 1', 'c 5 1', 'c 1 1', 'c 1 11', 'c 1 3'];

for (const mode of modes) {
  describe(`a RUN as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let cooper: Cooper;
    let base: string;
    const before_ = ['COPY probe /probe'];

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ installation, cooper, base } = await cooperWithBusybox(mode, cleanup));
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());

    for (const { name, script, want } of seen) {
      test(name, async () => {
        const env = { COOPER_TEST_CANARY: 'of the caller' };
        assert.equal(await look(cooper, base, script.startsWith('exec ') ? script : `${script}; true`, { before: before_, env }), want);
      });
    }

    for (const { name, script } of refused) {
      test(`cannot ${name}`, async () => {
        assert.match(await look(cooper, base, `if (${script}) >/dev/null 2>&1; then echo it works; else echo refused; fi`), /^refused\n$/);
      });
    }

    test('no device can be opened but those of /dev', async () => {
      const folders = ['', '/tmp', '/dev', '/dev/shm', '/cache', '/tmpfs'];
      const lines = folders.flatMap((folder) =>
        devices.map(
          (device) => `rm -f ${folder}/node; mknod ${folder}/node ${device} && (exec 3<${folder}/node) && echo ${folder} ${device}`,
        ),
      );
      const mounts = '--mount=type=cache,target=/cache --mount=type=tmpfs,target=/tmpfs';
      const output = await look(cooper, base, `(${lines.join('\n')}) 2>/dev/null; true`, { mounts });
      assert.equal(output, '');
    });

    test('a canary of the machine is nowhere', async () => {
      const canary = join(cooper.directory, 'canary');
      await mkdir(canary, { recursive: true });
      await writeFile(join(canary, 'file'), 'canary');
      const places = ['', '/proc/1/root', '/proc/self/root', '/proc/1/cwd', '/proc/self/cwd/../../../..', '/..'];
      const script = places.map((place) => `ls -d ${place}${canary}/file 2>/dev/null`).join('\n');
      assert.equal(await look(cooper, base, `${script}\ntrue`), '');
    });

    test('it has a hostname of its own', async () => {
      const [name] = (await look(cooper, base, 'hostname')).split('\n');
      assert.notEqual(name, hostname());
    });

    test('shared memory of the machine is not there', async () => {
      const id = (await tool('ipcmk', ['-M', '4096'])).match(/\d+/)?.[0] ?? '';
      try {
        assert.equal(await look(cooper, base, 'tail -n +2 /proc/sysvipc/shm'), '');
      } finally {
        await tool('ipcrm', ['-m', id]);
      }
    });

    test('without network it has lo only, and reaches nobody', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const address = server.address();
      assert.ok(address !== null && typeof address === 'object');
      const script = `ls /sys/class/net; cat /proc/net/route | tail -n +2; nc -w 1 127.0.0.1 ${address.port} </dev/null && echo reached; true`;
      assert.match(await look(cooper, base, script, { mounts: '--network=none' }), /^lo\n(nc: .*\n)?$/);
      server.close();
    });

    test('a caller’s supplementary groups do not come along', { skip: mode.name !== 'root' }, async () => {
      const [command, ...rest] = installation.command;
      const grouped: Installation = { ...installation, command: ['setpriv', '--groups=24,4242', command, ...rest] };
      await using other = await makeCooper(grouped);
      assert.equal(await look(other, base, 'id -G; id -G'), '0\n0\n');
    });

    describe('the network of the machine', () => {
      for (const { loopback, hosts } of [
        { loopback: '127.0.0.1', hosts: ['127.0.0.1', 'localhost', '$net.2', '$net.3', '$net.255', '0.0.0.0'] },
        { loopback: '::1', hosts: ['::1', 'fd00::2', 'fd00::3', 'fe80::2%eth0'] },
      ]) {
        test(`its loopback ${loopback} is another`, async () => {
          const server = createServer((socket) => socket.end()).listen(0, loopback);
          await new Promise((resolve) => server.once('listening', resolve));
          const address = server.address();
          assert.ok(address !== null && typeof address === 'object');
          const reach = hosts.map((ip) => `nc -w 1 ${ip} ${address.port} </dev/null && echo reached ${ip}`);
          // Its network is another one where the machine has a route to the usual.
          const net = 'net=$(ip route | sed -n "s/^default via \\(.*\\)\\.[0-9]* dev.*/\\1/p"); [ -n "$net" ] || echo no network';
          const built = await attempt(cooper, base, `${net}\n(${reach.join('\n')}) 2>/dev/null; true`);
          server.close();
          assert.equal(built.status, 0);
          assert.equal(outputOf(built), '');
        });
      }

      test('everybody may ping, and listen on any port', async () => {
        for (const mounts of ['', '--network=none']) {
          // 143: it listened until it was ended. Where a port is refused, nc ends by itself, with 1.
          const options = { before: [...before_, 'USER user'], mounts };
          assert.equal(
            await look(cooper, base, '/probe ping; timeout 1 nc -l -p 80 2>/dev/null; echo $?', options),
            'ok\nok\n143\n',
            mounts,
          );
        }
      });

      test('its abstract sockets are not there', async () => {
        const name = `cooper-test-${randomUUID()}`;
        const server = createServer().listen(`\0${name}`);
        await new Promise((resolve) => server.once('listening', resolve));
        assert.equal(await look(cooper, base, `/probe unix ${name}`, { before: before_ }), 'ECONNREFUSED\n');
        server.close();
      });

      test('two steps listen on the same port at the same time, and do not reach each other', async () => {
        const wait = 'touch /meet/$ME; until [ -e /meet/$OTHER ]; do sleep 0.05; done';
        const step = (me: string, other: string): string => `RUN --mount=type=cache,target=/meet,id=${mark} <<'END'
ME=${me} OTHER=${other}
nc -l -p 4711 -e echo ${me} & sleep 0.1
${wait}
nc -w 1 127.0.0.1 4711 </dev/null >/out
END`;
        const mark = randomUUID();
        const stages = [`FROM ${base} AS a`, step('a', 'b'), `FROM ${base} AS b`, step('b', 'a')];
        const last = [`FROM ${base}`, 'COPY --from=a /out /a', 'COPY --from=b /out /b', 'RUN cat /a /b'];
        const context = await cooper.context('two', { Dockerfile: [...stages, ...last, ''].join('\n') });
        assert.equal(outputOf(await cooper.built([context])), 'a\nb\n');
      });
    });
  });
}

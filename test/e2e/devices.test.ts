import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Built, Cooper } from '../support/cooper.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// RUN --device, and --device of containers. The devices are /dev/zero under other names: any machine has it, and any user may open it.

for (const mode of modes) {
  describe(`devices as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;
    let zero = '/dev/zero';

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
      // As root a node of our own, so that nothing can happen to the machine's.
      if (mode.name === 'root') {
        zero = join(cooper.directory, 'zero');
        assert.equal(spawnSync('mknod', ['-m', '640', zero, 'c', '1', '5']).status, 0);
      }
      await describeDevices();
    });

    after(async () => cleanup?.disposeAsync());

    async function describeDevices(): Promise<void> {
      const folder = join(cooper.directory, 'cdi');
      await mkdir(join(folder, 'shown'), { recursive: true });
      await writeFile(join(folder, 'shown/file'), 'of the host\n');
      const node = (name: string) => ({ deviceNodes: [{ path: `/dev/${name}`, hostPath: zero, type: 'c', major: 1, minor: 5 }] });
      const files = {
        'test.json': {
          cdiVersion: '0.6.0',
          kind: 'example.com/test',
          containerEdits: {
            env: ['OF_KIND=yes'],
            mounts: [{ hostPath: join(folder, 'shown'), containerPath: '/shown', options: ['ro', 'rbind'] }],
          },
          devices: [
            { name: 'a', containerEdits: { ...node('cdi-a'), env: ['A=1'] } },
            { name: 'b', annotations: { 'org.mobyproject.buildkit.device.class': 'zeros' }, containerEdits: node('cdi-b') },
          ],
        },
        'free.json': {
          cdiVersion: '0.6.0',
          kind: 'example.com/free',
          annotations: { 'org.mobyproject.buildkit.device.autoallow': 'true' },
          devices: [{ name: 'x', containerEdits: { env: ['FREE=1'] } }],
        },
        'odd.json': {
          cdiVersion: '0.6.0',
          kind: 'example.com/odd',
          devices: [
            { name: 'hook', containerEdits: { hooks: [{ hookName: 'createContainer', path: '/bin/true' }] } },
            { name: 'other', containerEdits: { deviceNodes: [{ path: '/dev/other', hostPath: zero, type: 'c', major: 1, minor: 3 }] } },
            { name: 'file', containerEdits: { deviceNodes: [{ path: '/dev/file', hostPath: join(folder, 'shown/file') }] } },
            { name: 'proc', containerEdits: { deviceNodes: [{ path: '/proc/zero', hostPath: zero }] } },
          ],
        },
      };
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(text));
      await writeFile(join(folder, 'gpu.yaml'), 'cdiVersion: 0.6.0\nkind: example.com/gpu\ndevices: [{name: all}]\n');
    }

    async function build(flags: string, script: string, ...args: string[]): Promise<Built> {
      const context = await cooper.context('device', { Dockerfile: `FROM ${base}\nRUN ${flags} ${script}\n` });
      return cooper.build(['--no-cache', '--cdi-spec-dir', 'cdi', '-t', 'device', ...args, context]);
    }

    const read = (path: string): string => `head -c 3 ${path} | od -An -tx1`;

    test('a RUN has them only where the user allows it', async () => {
      const named = '--device=example.com/test=a';
      const refused = await build(named, 'true');
      assert.match(messageOf(refused), /^NOT_ALLOWED: RUN asks for the device "example.com\/test=a"/);
      assert.deepEqual(refused.ran, []);
      assert.match(messageOf(await build(named, 'true', '--allow', 'device=example.com/test=b')), /^NOT_ALLOWED/);
      for (const permission of ['device', 'device=example.com/test=a', 'device=example.com/test=*'])
        assert.equal(messageOf(await build(named, 'true', '--allow', permission)), '');
    });

    test('what a specification says is in the container, and not in the image', async () => {
      const script = `sh -c '${read('/dev/cdi-a')}; cat /shown/file; echo $OF_KIND $A; ls /dev/cdi-b; echo x >/shown/file; mknod /z c 1 5; ${read('/z')}' 2>&1`;
      const built = await build('--device=example.com/test=a', script, '--allow', 'device');
      assert.equal(messageOf(built), '');
      const [bytes, file, variables, ...errors] = outputOf(built).split('\n');
      assert.deepEqual([bytes?.trim(), file, variables], ['00 00 00', 'of the host', 'yes 1']);
      assert.match(errors.join('\n'), /cdi-b: No such file/);
      assert.match(errors.join('\n'), /\/shown\/file: Read-only file system/);
      // Another node of the same device is closed as ever.
      assert.match(errors.join('\n'), /\/z: (?:Permission denied|No such file)/);
      assert.equal(await cooper.ok(['run', '--rm', 'device', 'sh', '-c', 'ls -d /shown /dev/cdi-a 2>/dev/null; echo $A.']), '.\n');
    });

    test('they are found by kind, wildcard, class and other names', async () => {
      const list = 'sh -c "ls /dev | grep cdi"';
      for (const [flags, permission, want] of [
        ['--device=example.com/test', 'device', 'cdi-a\n'],
        ['--device=example.com/test=*', 'device', 'cdi-a\ncdi-b\n'],
        ['--device=zeros', 'device', 'cdi-b\n'],
        ['--device=name=mine', 'device=example.com/test=b,alias=mine', 'cdi-b\n'],
        ['--device=example.com/test=a --device=example.com/test=b,required', 'device=example.com/test=*', 'cdi-a\ncdi-b\n'],
      ] as const) {
        const built = await build(flags, list, '--allow', permission);
        assert.deepEqual([messageOf(built), outputOf(built)], ['', want], flags);
      }
      // Its specification allows it to all.
      assert.equal(outputOf(await build('--device=example.com/free=x', 'echo $FREE')), '1\n');
    });

    test('one that is not there is missed where it is required', async () => {
      const optional = await build('--device=example.com/none=x', 'echo ran', '--allow', 'device');
      assert.equal(outputOf(optional), 'ran\n');
      assert.ok(optional.events.some((event) => event.type === 'warning' && event.message.includes('example.com/none=x')));
      const required = await build('--device=example.com/tset=a,required', 'true', '--allow', 'device');
      assert.match(messageOf(required), /^UNSUPPORTED: this machine has no device "example.com\/tset=a"/);
      const failed = required.events.find((event) => event.type === 'build.failed');
      // What could not be read may have had it.
      assert.match(failed?.hint ?? '', /gpu.yaml" is left out: YAML/);
      assert.equal(failed?.range?.start.line, 2);
    });

    test('what cannot be given is refused', async () => {
      for (const [name, want] of [
        ['hook', /programs of the host/],
        ['other', /not what its specification says/],
        ['file', /is no device/],
        ['proc', /nothing can be mounted at "\/proc\/zero"/],
      ] as const) {
        const message = messageOf(await build(`--device=example.com/odd=${name}`, 'echo ran', '--allow', 'device'));
        assert.match(message, /^UNSUPPORTED/);
        assert.match(message, want);
      }
    });

    test('the key has what was asked for', async () => {
      const step = async (flags: string): Promise<number> => {
        const context = await cooper.context('key', { Dockerfile: `FROM ${base}\nRUN ${flags} echo key\n` });
        return (await cooper.built(['--cdi-spec-dir', 'cdi', '--allow', 'device', context])).ran.length;
      };
      assert.deepEqual([await step('--device=example.com/test=a'), await step('--device=example.com/test=a')], [1, 0]);
      assert.equal(await step('--device=example.com/test=b'), 1);
    });

    test('containers have them by path and by name', async () => {
      const run = async (script: string, ...args: string[]): Promise<string> =>
        cooper.ok(['run', '--rm', ...args, 'device', 'sh', '-c', script]);
      assert.equal(await run(read('/dev/other'), '--device', `${zero}:/dev/other`), ' 00 00 00\n');
      assert.equal(
        await run(`${read('/dev/cdi-b')}; echo $OF_KIND`, '--cdi-spec-dir', 'cdi', '--device', 'example.com/test=b'),
        ' 00 00 00\nyes\n',
      );
      const bad = async (device: string): Promise<string> =>
        (await cooper.run(['run', '--rm', '--device', device, 'device', 'true'])).stderr;
      assert.match(await bad(`${zero}:/dev/other:r`), /with the permissions "r" only/);
      assert.match(await bad('/etc/passwd'), /"\/etc\/passwd" is no device/);
      assert.match(await bad('/dev/absent'), /"\/dev\/absent" is not there/);
      assert.match(await bad('zero'), /needs absolute paths/);
    });

    test('/dev is mounted as Docker mounts it', async () => {
      const script =
        'sh -c "cp /bin/busybox /dev/busybox && /dev/busybox echo executed; grep -E \' /dev(/shm)? \' /proc/self/mountinfo | cut -d \\  -f 5,6"';
      const [executed, ...mounts] = outputOf(await build('', script))
        .trim()
        .split('\n');
      assert.equal(executed, 'executed');
      assert.match(mounts.find((line) => line.startsWith('/dev ')) ?? '', /^\/dev rw,nosuid,nodev$/);
      assert.match(mounts.find((line) => line.startsWith('/dev/shm ')) ?? '', /^\/dev\/shm rw,nosuid,nodev,noexec,relatime$/);
    });

    test('in a user namespace of its own the nodes are its own, too', { skip: mode.name === 'rootless' && 'it has one' }, async () => {
      const script = `stat -c %u:%g /dev/other; chown 5 /dev/other && ${read('/dev/other')}`;
      const run = (...args: string[]): Promise<string> => cooper.ok(['run', '--rm', '--userns=auto', ...args]);
      assert.equal(await run('--device', `${zero}:/dev/other`, 'device', 'sh', '-c', script), '0:0\n 00 00 00\n');
      const user = ['--user', '7', '--cdi-spec-dir', 'cdi', '--device', 'example.com/test=a'];
      assert.equal(await run(...user, 'device', 'stat', '-c', '%u', '/dev/cdi-a'), '7\n');
    });

    test("a container cannot change the machine's node", { skip: mode.name === 'rootless' && 'nobody there owns it' }, async () => {
      const before = await stat(zero);
      const script = 'chmod 666 /dev/other && chown 5:6 /dev/other && stat -c "%a %u:%g" /dev/other';
      const said = await cooper.ok([
        'run',
        '--rm',
        '--device',
        `${zero}:/dev/other`,
        'device',
        'sh',
        '-c',
        `stat -c %a /dev/other; ${script}`,
      ]);
      assert.equal(said, '640\n666 5:6\n');
      const now = await stat(zero);
      assert.deepEqual([now.mode, now.uid, now.gid], [before.mode, before.uid, before.gid]);
    });
  });
}

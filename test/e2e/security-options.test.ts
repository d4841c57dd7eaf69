import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { attempt, compileProbe, look, messageOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// --security-opt of builds and runs, and the capabilities of runs. What profiles mean is compared with libseccomp in the worker's own tests.

/** Everything is allowed but directories (EACCES) and, where processes may not be traced, named pipes (EPERM). */
const profile = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: ['mkdir', 'mkdirat', 'no_such_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
    { names: ['mknod', 'mknodat'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_SYS_PTRACE'] } },
  ],
});

const status = 'grep -E "NoNewPrivs|Seccomp:|CapBnd" /proc/self/status | tr -d "\\t" | tr "\\n" " "';

for (const mode of modes) {
  describe(`walls by option as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
      await writeFile(join(cooper.directory, 'profile.json'), profile);
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());

    const build = (script: string, ...args: string[]): Promise<string> => look(cooper, base, script, { args });
    const run = (...args: string[]): Promise<string> => cooper.ok(['run', '--rm', ...args]);

    test('a RUN has a filter, and setuid programs work', async () => {
      assert.equal(await build(status), 'CapBnd:00000000a80425fb NoNewPrivs:0 Seccomp:2 ');
    });

    test('a profile takes the place of the filter', async () => {
      const said = await build('mkdir /d 2>&1; mkfifo /f 2>&1; unshare true && echo unshared', '--security-opt', 'seccomp=profile.json');
      assert.match(said, /can't create directory '\/d': Permission denied/);
      assert.match(said, /mkfifo: .*Operation not permitted/);
      assert.match(said, /unshared/);
    });

    test('unconfined is without a filter', async () => {
      const options = { before: ['COPY probe /probe'], args: ['--security-opt', 'seccomp=unconfined'] };
      const said = await look(cooper, base, `${status}; /probe calls`, options);
      assert.match(said, /^CapBnd:00000000a80425fb NoNewPrivs:0 Seccomp:0 /);
      assert.match(said, /^unshare: works$/m);
      assert.doesNotMatch(said, /^keyctl: EPERM$/m);
    });

    test('no new privileges', async () => {
      assert.match(await build(status, '--security-opt', 'no-new-privileges'), /NoNewPrivs:1 Seccomp:2/);
    });

    test('paths of the system are opened only with the permission for it', async () => {
      const asked = ['--security-opt', 'systempaths=unconfined'];
      const mounts = 'grep -c " /proc/" /proc/self/mountinfo';
      assert.equal(messageOf(await attempt(cooper, base, 'true', { args: asked })).split(':')[0], 'ARG_INVALID');
      assert.equal(await build(`${mounts} || true`, ...asked, '--allow', 'security.insecure'), '0\n');
      assert.notEqual(await build(mounts), '0\n');
    });

    test('the walls are no part of the key', async () => {
      const context = await cooper.context('key', { Dockerfile: `FROM ${base}\nRUN echo step\n` });
      assert.equal((await cooper.built([context])).ran.length, 1);
      assert.deepEqual((await cooper.built(['--security-opt', 'seccomp=unconfined', context])).ran, []);
    });

    test('of another profile than the format allows nothing is run', async () => {
      for (const [name, text, want] of [
        ['nonsense.json', '{"defaultAction":"ALLOW"}', /unknown action "ALLOW"/],
        ['empty.json', '{}', /has no "defaultAction"/],
        ['text.json', 'unconfined', /text\.json" is not JSON/],
        ['long.json', ' '.repeat(1 << 21), /more than 1048576 bytes/],
      ] as const) {
        await writeFile(join(cooper.directory, name), text);
        const message = messageOf(await attempt(cooper, base, 'echo ran', { args: ['--security-opt', `seccomp=${name}`] }));
        assert.match(message, /^ARG_INVALID: the seccomp profile/);
        assert.match(message, want);
      }
      const absent = await attempt(cooper, base, 'true', { args: ['--security-opt', 'seccomp=absent.json'] });
      assert.match(messageOf(absent), /^ARG_INVALID: .*absent.json" cannot be read/);
    });

    test('containers have the capabilities that were asked for', async () => {
      await cooper.context('image', { Dockerfile: `FROM ${base}\n` });
      await cooper.ok(['build', '-t', 'walls', 'image']);
      const bounding = async (...args: string[]): Promise<string> =>
        (await run(...args, 'walls', 'sh', '-c', status)).replace(/^CapBnd:0*(\w+) .*$/, '$1');
      assert.equal(await bounding(), 'a80425fb');
      assert.equal(await bounding('--cap-drop', 'ALL', '--cap-add', 'chown'), '1');
      assert.equal(await bounding('--cap-drop', 'cap_chown'), 'a80425fa');
      // All that there are: this machine may not have every one.
      const most = BigInt(`0x${await bounding('--cap-add', 'ALL', '--cap-drop', 'CHOWN')}`);
      assert.deepEqual([most & 1n, (most >> 21n) & 1n], [0n, 1n]);
      // What needs the capability is let through the filter, too.
      assert.equal(await run('--cap-add', 'SYS_ADMIN', 'walls', 'sh', '-c', 'mount -t tmpfs x /bin && echo mounted'), 'mounted\n');
      const refused = await cooper.run(['run', '--rm', 'walls', 'mount', '-t', 'tmpfs', 'x', '/bin']);
      assert.notEqual(refused.status, 0);
    });

    test('the conditions of a profile see the capabilities of the container', async () => {
      const pipe = async (...args: string[]): Promise<boolean> => {
        const said = await cooper.run(['run', '--security-opt', 'seccomp=profile.json', ...args, 'walls', 'sh', '-c', 'mkfifo /f']);
        return said.status === 0;
      };
      assert.deepEqual([await pipe(), await pipe('--cap-add', 'SYS_PTRACE')], [false, true]);
    });

    test('a container without walls of its own, by options', async () => {
      const options = ['seccomp=unconfined', 'no-new-privileges', 'systempaths=unconfined'].flatMap((option) => ['--security-opt', option]);
      const script = `${status}; grep -c " /proc/" /proc/self/mountinfo || true`;
      assert.equal(await run(...options, 'walls', 'sh', '-c', script), 'CapBnd:00000000a80425fb NoNewPrivs:1 Seccomp:0 0\n');
    });
  });
}

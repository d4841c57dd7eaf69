import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { makeCooper } from '../support/cooper.ts';
import { compileProbe, look } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { startRegistry } from '../support/registry.ts';

// fixtures/probe tries each call with arguments that do nothing. What Docker's default profile answers to a container with the default
// capabilities. Source: moby's profiles/seccomp/default.json.

const denied = `acct add_key bpf clock_settime delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick get_mempolicy
init_module kcmp kexec_file_load kexec_load keyctl mbind migrate_pages mount mount_setattr move_mount move_pages open_by_handle_at
open_tree perf_event_open pidfd_getfd pivot_root process_madvise quotactl reboot request_key set_mempolicy setdomainname sethostname
lsm_get_self_attr lsm_list_modules lsm_set_self_attr setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd vhangup ioperm iopl uselib ustat sysfs`.split(
  /\s+/,
);
// Docker removed these later than that file (moby 46762, kernel bugs without end).
const deniedSince = ['io_uring_enter', 'io_uring_register', 'io_uring_setup'];
const deniedByArguments = [
  'clone with a user namespace',
  'clone with a cgroup namespace',
  'personality without random addresses',
  'socket of a hypervisor',
  'socket of a hypervisor with a bit above',
  "socket of the kernel's cryptography",
  'unshare of x32',
];
// The C library takes the older call on ENOSYS, and fails on EPERM.
const missing = ['clone3', 'no call at all'];
const allowed = ['chroot', 'memfd_create', 'name_to_handle_at', 'personality', 'pidfd_open', 'setuid', 'socket'];

for (const mode of modes) {
  describe(`system calls as ${mode.name}`, { skip: mode.reason ?? false }, () => {
    test('are decided as by Docker', async () => {
      await using installation = await mode.install();
      await using registry = await startRegistry();
      await using cooper = await makeCooper(installation);
      const base = await pushBase(await busyboxBase(), registry, 'busybox');
      await compileProbe(cooper);
      const answers = table(await look(cooper, base, 'exec /probe calls', { before: ['COPY probe /probe'] }));
      const onMachine = table(spawnSync(join(cooper.directory, 'look/probe'), ['calls'], { encoding: 'utf8' }).stdout);
      const expect = (names: readonly string[], want: string): void => {
        // Not every architecture has all of them.
        for (const name of names.filter((each) => onMachine.has(each))) assert.equal(answers.get(name), want, name);
      };
      expect([...denied, ...deniedSince, ...deniedByArguments], 'EPERM');
      expect(missing, 'ENOSYS');
      // Of 32-bit programs; a kernel may be made without them.
      expect(onMachine.get('unshare of 32 bit') === 'works' ? ['unshare of 32 bit'] : [], 'EPERM');
      for (const name of allowed) assert.notEqual(answers.get(name), 'EPERM', name);
      for (const name of ['unshare', ...deniedByArguments.filter((each) => !/socket|x32/.test(each))])
        assert.notEqual(onMachine.get(name), 'EPERM', `${name} is allowed outside`);
      assert.equal(answers.get("ptrace of PID 1's parent"), 'ESRCH');
    });
  });
}

const table = (text: string): Map<string, string> =>
  new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(': ') as [string, string]),
  );

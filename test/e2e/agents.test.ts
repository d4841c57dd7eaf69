import assert from 'node:assert/strict';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { attempt, look, messageOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { tool } from '../support/tools.ts';

// The machine's own OpenSSH, with its libraries, asks in a RUN: what it lists and signs is checked outside.

for (const mode of modes) {
  describe(`agents as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;
    let key: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      const made = await cooperWithBusybox(mode, cleanup);
      ({ cooper, base } = made);
      await copyClients(join(cooper.directory, 'look'));
      key = join(cooper.directory, 'key');
      await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
      if (made.installation.owner) await chown(key, made.installation.owner.uid, made.installation.owner.gid);
    });

    after(async () => cleanup?.disposeAsync());

    const withClients = (mounts: string) => ({ before: ['COPY clients/ /'], mounts, args: ['--ssh', `default=${key}`] });

    test('a key lists and signs, and never leaves cooper', async () => {
      const script = 'ssh-add -L >/key.pub && echo text >/text && ssh-keygen -q -Y sign -n file -f /key.pub /text && cat /text.sig';
      const signature = await look(cooper, base, script, withClients('--mount=type=ssh'));
      const folder = await cooper.context('check', {
        'text.sig': signature,
        text: 'text\n',
        who: `me ${await readFile(`${key}.pub`, 'utf8')}`,
      });
      const verify = 'ssh-keygen -Y verify -f "$1/who" -I me -n file -s "$1/text.sig" <"$1/text"';
      assert.match(await tool('sh', ['-c', verify, 'sh', folder]), /^Good "file" signature for me/);
      // A line of its body: what is secret of it.
      const [, line = ''] = (await readFile(key, 'utf8')).split('\n').toReversed().slice(2);
      const store = await tool('sh', ['-c', 'grep -rlF "$2" "$1" || true', 'sh', cooper.root, line]);
      assert.equal(store, '');
    });

    test('the socket is where, and whose, it was asked for; nothing of it stays', async () => {
      const script = 'stat -c "%n %F %a %u:%g" $SSH_AUTH_SOCK /run/buildkit/ssh_agent.1; su user -c "ssh-add -l" | cut -d" " -f1';
      const mounts = '--mount=type=ssh,target=/a/socket,mode=0640,uid=1000 --mount=type=ssh';
      const printed = await look(cooper, base, script, withClients(mounts));
      assert.equal(printed, '/a/socket socket 640 1000:0\n/run/buildkit/ssh_agent.1 socket 600 0:0\n256\n');
      const left = await cooper.built([
        ...['--ssh', `default=${key}`, '-o', `type=local,dest=${join(cooper.directory, 'out')}`, join(cooper.directory, 'look')],
      ]);
      assert.equal(left.status, 0);
      assert.equal(await tool('sh', ['-c', 'ls -d "$1/a" "$1/run" 2>/dev/null || true', 'sh', join(cooper.directory, 'out')]), '');
    });

    // An agent lets in nobody but root and its owner, who is root here.
    const skip = mode.name === 'rootless';
    test('the agent of the machine is asked, by its name, and is not changed', { skip }, async () => {
      const socket = join(cooper.directory, 'agent');
      const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(await tool('ssh-agent', ['-s', '-a', socket]))?.[1]);
      try {
        const agent = { SSH_AUTH_SOCK: socket };
        // It reads only files of its own user.
        await tool('sh', ['-c', 'install -m 600 "$1" "$1.copy" && ssh-add -q "$1.copy"', 'sh', key], agent);
        const script = 'ssh-add -D; ssh-add -l | cut -d" " -f1';
        const options = { before: ['COPY clients/ /'], mounts: '--mount=type=ssh,id=mine', args: ['--ssh', `mine=${socket}`] };
        assert.match(await look(cooper, base, script, options), /^Failed to remove all identities\.\n256\n/);
        assert.match(await tool('ssh-add', ['-l'], agent), /^256 /);
      } finally {
        process.kill(pid);
      }
    });

    test('without an agent there is no socket, or an error where it is required', async () => {
      const script = 'ls $SSH_AUTH_SOCK 2>/dev/null || echo none';
      assert.equal(await look(cooper, base, script, { mounts: '--mount=type=ssh' }), 'none\n');
      const failed = await attempt(cooper, base, 'true', { mounts: '--mount=type=ssh,id=k,required' });
      assert.equal(messageOf(failed), 'SSH_MISSING: no agent "k" was given');
    });

    test('many connections at once, and one that is left open, do not hold a step up', async () => {
      const script =
        'for i in $(seq 20); do ssh-add -l >/dev/null & done; wait; (sleep 1000 | nc -U $SSH_AUTH_SOCK 2>/dev/null &) ; ssh-add -l | wc -l';
      assert.equal(await look(cooper, base, script, withClients('--mount=type=ssh')), '1\n');
    });
  });
}

/** OpenSSH's programs and what they are linked with, as a tree to be copied into an image. */
async function copyClients(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const copy =
    'cd "$1" && mkdir clients && programs="/usr/bin/ssh-add /usr/bin/ssh-keygen" && for file in $programs $(ldd $programs | grep -o "/[^ :]* "); ' +
    'do mkdir -p "clients$(dirname "$file")" && cp -L "$file" "clients$file"; done';
  await tool('sh', ['-euc', copy, 'sh', folder]);
  await tool('chmod', ['-R', 'a+rX', folder]);
}

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Built, Cooper, Ended } from '../support/cooper.ts';
import { foundIn } from '../support/found-in.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { descendants, gone } from '../support/processes.ts';
import type { Registry } from '../support/registry.ts';
import { tool } from '../support/tools.ts';

const value = 'tok+3n/of~the "day"';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The value, and how it begins when it is encoded: none of these may be found anywhere. */
const traces = [value, 'tok+3n', ...['', 'a', 'ab'].map((before) => base64(`${before}${value}`).slice(4, -8))];

for (const mode of modes) {
  describe(`secrets as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let registry: Registry;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ registry, cooper, base } = await cooperWithBusybox(mode, cleanup));
      await cooper.context('keys', { token: value, plain: 'hunter22-plain', short: 'abc1234' });
    });

    after(async () => cleanup?.disposeAsync());

    const secret = (more = ''): string[] => ['--secret', `id=token,src=${join(cooper.directory, 'keys/token')}${more}`];
    const mount = 'RUN --mount=type=secret,id=token';

    /** Builds this Dockerfile (from `base`, unless it says otherwise) with the secret. */
    async function build(lines: readonly string[], args: readonly string[] = [], files: Record<string, string> = {}): Promise<Built> {
      const Dockerfile = [...(lines[0]?.startsWith('FROM') ? [] : [`FROM ${base}`]), ...lines, ''].join('\n');
      return cooper.build([...secret(), ...args, await cooper.context('context', { ...files, Dockerfile })]);
    }

    /** The build failed, for this reason, and nothing of the secret is anywhere. */
    function refused(built: Built, reason: RegExp): void {
      assert.equal(built.status, 1, messageOf(built));
      assert.match(messageOf(built), reason);
      nothingSaid(built);
      assert.deepEqual(foundIn(cooper.root, traces), []);
    }

    const nothingSaid = ({ stdout, stderr }: Ended): void => {
      for (const trace of traces) assert.ok(!`${stdout}${stderr}`.includes(trace), `${trace} in ${stdout}${stderr}`);
    };

    test('a COPY of a file that holds it names step, file and line', async () => {
      const built = await build(['COPY config /srv/config'], [], { config: `some text\n${base64(`user:${value}`)}\n` });
      refused(built, /^SECRET_LEAKED: \[2\/2\] .*"\/srv\/config" holds the secret "token" as base64/);
      const failed = built.events.find((event) => event.type === 'build.failed');
      assert.equal(failed?.range?.start.line, 2);
      await rm(join(cooper.directory, 'context/config'));
    });

    for (const [what, script, place] of [
      ['a copy', 'cp /run/secrets/token /copy', /"\/copy" holds the secret "token"/],
      ['a file that the next step could remove', 'mkdir /d && cat /run/secrets/token >/d/f', /"\/d\/f" holds/],
      ['the end of a large file', 'head -c 3000000 /dev/zero >/big && cat /run/secrets/token >>/big', /"\/big" holds/],
      ['a variable', 'echo "$TOKEN" >/var', /"\/var" holds/],
      ['base64', '(printf x; cat /run/secrets/token) | base64 >/b64', /"\/b64" holds the secret "token" as base64/],
      ['the target of a link', 'ln -s "/x/$TOKEN" /link', /target .* of "\/link" holds/],
    ] as const) {
      // Both ways in which layers are made on disk are seen with the first.
      test(`a RUN cannot keep it in ${what}`, { skip: mode.name === 'rootless' && what !== 'a copy' }, async () => {
        refused(await build([`${mount},env=TOKEN,target=/run/secrets/token ${script}`, 'RUN rm -rf /copy /d']), place);
      });
    }

    test('the name of a file is searched, and masked in the message', async () => {
      const keys = ['--secret', `id=plain,src=${join(cooper.directory, 'keys/plain')}`];
      const built = await build(['RUN --mount=type=secret,id=plain touch "/$(cat /run/secrets/plain).txt"'], keys);
      assert.match(messageOf(built), /^SECRET_LEAKED: .*the name .* of "\/\*\*\*.txt" holds the secret "plain"/);
      assert.ok(!built.stderr.includes('hunter22'));
      assert.deepEqual(foundIn(cooper.root, ['hunter22-plain']), []);
      // As people see it: the error with its source line, and what --debug-log adds.
      await writeFile(
        join(cooper.directory, 'context/Dockerfile'),
        `FROM ${base}\nRUN --mount=type=secret,id=plain touch "/hunter22-plain"\n`,
      );
      const shown = await cooper.run(['build', '--debug-log', ...keys, join(cooper.directory, 'context')]);
      assert.match(shown.stderr, /\[SECRET_LEAKED\]\n +2 \| RUN --mount=type=secret,id=plain touch "\/\*\*\*"\n/);
      assert.match(shown.stderr, / at .*\n/);
      assert.ok(!shown.stderr.includes('hunter22'), shown.stderr);
    });

    test('a step that reads it and keeps nothing leaves nothing; its file is in memory, and for its owner alone', async () => {
      const script = [
        'cat /run/secrets/token >/tmp/x; wc -c </tmp/x; rm /tmp/x',
        'stat -f -c %T /run/secrets/token; stat -c "%a %u" /run/secrets/token',
        'su user -c "cat /run/secrets/token" 2>/dev/null || echo no',
      ].join('; ');
      const built = await build([`${mount} ${script}`], ['-t', 'fine']);
      assert.equal(built.status, 0, messageOf(built));
      assert.equal(outputOf(built), '19\ntmpfs\n400 0\nno\n');
      assert.deepEqual(foundIn(cooper.root, traces), []);
    });

    test('a program that has it leaves no core file, also where cores go to a pipe', async () => {
      const limit = 'sed -n "s/^Max core file size *//p" /proc/self/limits';
      const built = await build([
        `${mount} ${limit}`,
        `RUN --mount=type=secret,id=token,env=TOKEN ${limit}`,
        `RUN ${limit} | grep -c unlimited`,
      ]);
      assert.match(outputOf(built), /^(1 +1 +bytes *\n){2}[01]\n$/);
    });

    const quoted = value.replaceAll('"', '\\"');
    for (const [what, lines, args, place] of [
      ['ENV', [`ENV TOKEN="${quoted}"`], [], /this instruction holds/],
      ['ENV from ARG', ['ARG T', 'ENV TOKEN=$T'], ['--build-arg', `T=${value}`], /the build argument "T" holds/],
      ['the default of ARG', [`ARG T="${quoted}"`], [], /this instruction holds/],
      ['LABEL', [`LABEL a="x ${quoted}"`], [], /this instruction holds/],
      ['LABEL as base64', [`LABEL a=${base64(`user:${value}`)}`], [], /this instruction holds/],
      ['--label', ['RUN true'], ['--label', `a=${value}`], /"Labels" of the image's config holds/],
      ['--annotation', ['RUN true'], ['--annotation', `a=${value}`], /the annotation "a" holds/],
      ['CMD', [`CMD ["say", ${JSON.stringify(value)}]`], [], /this instruction holds/],
      ['the text of RUN', [`RUN echo '${value}' >/dev/null`], [], /this instruction holds/],
      ['a heredoc', ["COPY <<'END' /f", value, 'END'], [], /this instruction holds/],
      [
        'another stage',
        [`FROM ${'scratch'} AS other`, `ENV T="${quoted}"`, 'FROM scratch', 'COPY --from=other / /'],
        [],
        /this instruction/,
      ],
    ] as const) {
      // Found by the builder, whoever it runs as.
      test(`no config and no history has it: ${what}`, { skip: mode.name === 'rootless' }, async () => {
        const built = await build(lines, args);
        refused(built, new RegExp(`^SECRET_LEAKED: .*${place.source}`));
        assert.deepEqual(built.ran, []);
      });
    }

    test('a log shows it in no form, whatever the pieces it comes in', async () => {
      const script = [
        'echo "<$(cat /run/secrets/token)>"',
        'printf "[%s" "$(head -c 9 /run/secrets/token)"; sleep 0.2; printf "%s]\\n" "$(tail -c 10 /run/secrets/token)"',
        'echo "$TOKEN$TOKEN|"',
        'base64 </run/secrets/token >&2',
        '(head -c 70000 /dev/zero | tr "\\0" x; cat /run/secrets/token; echo y)',
        'cat /run/secrets/token; exit 3',
      ].join('; ');
      const built = await build([`${mount},env=TOKEN,target=/run/secrets/token ${script}`]);
      nothingSaid(built);
      const output = outputOf(built);
      for (const part of ['<***>\n', '[***]\n', '***|\n', 'x***y\n']) assert.ok(output.includes(part), part);
      assert.match(messageOf(built), /^RUN_FAILED/);
      const plain = await cooper.run(['build', '--debug-log', '--no-cache', ...secret(), join(cooper.directory, 'context')]);
      assert.match(plain.stderr, /<\*\*\*>/);
      nothingSaid(plain);
    });

    test('a registry gets nothing of a build that leaks', async () => {
      const target = `${registry.host}/leak/image:1`;
      const before = (await registry.requests()).length;
      const built = await build([`${mount} echo fine >/a`, `${mount} cp /run/secrets/token /b`], ['--no-cache', '--push', '-t', target]);
      refused(built, /^SECRET_LEAKED/);
      assert.deepEqual(foundIn(registry.directory, [...traces, 'leak/image']), []);
      const writes = (await registry.requests()).slice(before).filter((request) => !/^(GET|HEAD) /.test(request));
      assert.deepEqual(writes, []);
      await assert.rejects(stat(join(registry.directory, 'docker/registry/v2/repositories/leak')));
    });

    test('scan=false lets it stand, and masks it all the same', async () => {
      const folder = await cooper.context('allowed', {
        Dockerfile: `FROM ${base}\n${mount} cp /run/secrets/token /copy; cat /copy\nLABEL a="${quoted}"\n`,
      });
      const built = await cooper.build([...secret(',scan=false'), '-t', 'allowed', '--progress', 'json', folder]);
      assert.equal(built.status, 0, messageOf(built));
      assert.equal(outputOf(built), '***');
      // Now it is one, and the layer is in the cache.
      await writeFile(join(folder, 'Dockerfile'), `FROM ${base}\n${mount} cp /run/secrets/token /copy; cat /copy\n`);
      const later = await cooper.build([...secret(), folder]);
      assert.match(messageOf(later), /^SECRET_LEAKED: .*"\/copy" holds the secret "token"/);
      await cooper.ok(['rmi', 'allowed']);
      await rm(cooper.root, { recursive: true });
    });

    test('a short one is not searched for, which is said once', async () => {
      const keys = ['--secret', `id=short,src=${join(cooper.directory, 'keys/short')}`];
      const built = await build(['RUN --mount=type=secret,id=short cp /run/secrets/short /copy', 'RUN true'], keys);
      assert.equal(built.status, 0, messageOf(built));
      const warnings = built.events.filter((event) => event.type === 'warning').map(({ message }) => message);
      assert.deepEqual(warnings.filter((message) => message.includes('8 bytes')).length, 1);
      assert.match(warnings.join('\n'), /neither searched .*: "short"$/m);
    });

    test('a changed one that says so runs its steps again, and only those', async () => {
      const file = join(cooper.directory, 'keys/changing');
      const lines = [
        'RUN touch /first',
        'RUN --mount=type=secret,id=changing wc -c </run/secrets/changing >/dev/null; touch /second',
        'RUN touch /third',
      ];
      const run = async (text: string, more = ',invalidate') => {
        await writeFile(file, text);
        return (await build(lines, ['--secret', `id=changing,src=${file}${more}`])).ran;
      };
      const all = lines.map((line) => line.replaceAll(/\s+/g, ' '));
      assert.deepEqual(await run('first-value'), all);
      assert.deepEqual(await run('first-value'), []);
      // What it makes is the same, so what comes after it need not run.
      assert.deepEqual(await run('other-value'), [all[1]]);
      assert.deepEqual(await run('first-value'), []);
      assert.deepEqual(await run('third-value', ',invalidate=false'), [all[1]]);
      assert.deepEqual(await run('fourth-value', ''), []);
      const key = join(cooper.root, 'secret-key');
      assert.equal((await stat(key)).mode & 0o777, 0o600);
      assert.match(await readFile(key, 'utf8'), /^[0-9a-f]{64}\n$/);
    });

    test('no process but the program has it in its environment, none in its arguments; none leaves a core, and a dead one nothing', async () => {
      // Else it could be the machine that allows no core.
      await tool('prlimit', ['--pid', String(process.pid), '--core=unlimited']);
      const folder = await cooper.context('waiting', {
        Dockerfile: `FROM ${base}\nRUN --mount=type=secret,id=token,env=TOKEN,target=/t echo "I have $\{#TOKEN}"; exec sleep 1000\n`,
      });
      const running = cooper.start(['build', '--secret', 'id=token,env=MY_TOKEN', folder], { env: { MY_TOKEN: value } });
      await running.says('I have 19');
      const all = descendants(running.pid);
      const read = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, 'latin1');
      const ours = [running.pid, ...all.map(({ pid }) => pid)].filter((pid) => !read(pid, 'cmdline').includes('sleep'));
      for (const pid of ours) assert.ok(!read(pid, 'cmdline').includes(value), String(pid));
      // The command itself has what the user gave it, and nobody else.
      const having = ours.filter((pid) => read(pid, 'environ').includes(value));
      for (const pid of having) assert.match(read(pid, 'cmdline'), /launch\.js\0build\0/, String(pid));
      const workers = ours.filter((pid) => /(^|\/)cooper-worker\0/.test(read(pid, 'cmdline')));
      assert.ok(workers.length >= 2, String(workers));
      const supervisors = workers.filter((pid) => read(pid, 'cmdline').includes('supervise-container'));
      const node = ours.filter((pid) => /^[^\0]*node\0/.test(read(pid, 'cmdline')));
      // Without root there is one more, which made the user namespace, and knows nothing.
      const knowing = all.filter(({ pid }) => supervisors.includes(pid)).map(({ parent }) => parent);
      assert.ok(node.length > 0 && knowing.length > 0);
      // A supervisor is not dumpable: it has no core for anybody.
      for (const pid of [...knowing, ...node]) assert.match(read(pid, 'limits'), /^Max core file size +1 /m, read(pid, 'cmdline'));
      await running.stop('SIGKILL');
      await gone(all);
      assert.deepEqual(foundIn(cooper.root, traces), []);
    });
  });
}

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { UserNamespace } from '../../src/worker/protocol.ts';
import { busyboxBase, debianBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { outputOf } from '../support/look.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { packageSecrets } from '../support/secrets.ts';

// Containers of root in a user namespace (--userns=auto) must give the same layers as with the machine's ids (--userns=host), byte for byte. The
// cases of build-cases.test.ts hold in both: COOPER_USERNS says in which they run.

const root = process.getuid?.() === 0;
/** Those of files that a RUN has made. */
const withoutTimes = (text: string): string => text.replace(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d/g, 'TIME');

describe('containers of root in a user namespace', { concurrency: false, skip: root ? false : 'not root' }, () => {
  let registry: Registry;
  let busybox: string;
  let debian: string;
  let cooper: Cooper;

  before(async () => {
    registry = await startRegistry();
    busybox = await pushBase(await busyboxBase(), registry, 'busybox');
    debian = await pushBase(await debianBase(), registry, 'debian');
    cooper = await makeCooper();
  });

  after(async () => {
    await cooper?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  /** Runs every step anew. Layers that are the same but for times within the step become one: only those can differ that the epoch limits. */
  async function build(mode: UserNamespace, lines: readonly string[], args: readonly string[] = []) {
    const text = lines.map((line) => line.replace(/^RUN ((?:--\S+ )*)/, 'RUN $1exec 2>&1; ')).join('\n');
    const context = await cooper.context('context', { Dockerfile: `${text}\n`, 'in/file': 'text' });
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    return await cooper.built([`--userns=${mode}`, '--no-cache', ...args, context], { env });
  }

  async function assertSame(lines: readonly string[], args: readonly string[] = []): Promise<void> {
    const [auto, host] = [await build('auto', lines, args), await build('host', lines, args)];
    assert.equal(withoutTimes(outputOf(auto)), withoutTimes(outputOf(host)));
    assert.equal(auto.digest, host.digest);
  }

  test('they are in one, and the doctor says so', async () => {
    const { checks } = JSON.parse(await cooper.ok(['doctor', '--json'], { env: { COOPER_USERNS: 'auto' } }));
    const found = checks.find(({ name }: { name: string }) => name === 'user namespace of RUN');
    assert.match(found.detail, /^on: /);
    const map = 'RUN awk "{ print \\$1, \\$2, \\$3 }" /proc/self/uid_map';
    assert.deepEqual(outputOf(await build('auto', [`FROM ${busybox}`, map])), '0 2147483647 2147483648\n');
    assert.deepEqual(outputOf(await build('host', [`FROM ${busybox}`, map])), '0 0 4294967295\n');
  });

  test('whoever is given the rights of the machine has its ids', async () => {
    const line = 'RUN --security=insecure awk "{ print \\$1, \\$2, \\$3 }" /proc/self/uid_map';
    const built = await build('auto', [`FROM ${busybox}`, line], ['--allow', 'security.insecure']);
    assert.deepEqual(outputOf(built), '0 0 4294967295\n');
  });

  test('owners, modes, links, whiteouts and opaque directories are the same', async () => {
    await assertSame([
      `FROM ${busybox}`,
      'RUN mkdir -p /a/b /c /gone && echo 1 >/a/b/f && chown -R 7:2147483647 /a && chmod 6755 /a/b/f && ln /a/b/f /a/hard && ln -s b /a/soft',
      'RUN mkdir /mine && chown 1000:1000 /mine && chmod 2777 /c && touch /c/of-group && rm -r /gone && rm /a/hard',
      'RUN rm -rf /a/b && mkdir /a/b && touch /a/b/new && chown 2147483647:5 /a/b/new && chmod 4711 /bin/busybox',
      'USER 1000:1000',
      'RUN id; echo x >/mine/x; ls -ln /mine /a /a/b /c; touch /a/b/refused || true; chown 5 /mine/x || true',
      'USER 0',
      'RUN mv /mine /moved && touch -d "2001-02-03 04:05:06" /moved/x && stat -c "%u %g %a %Y %n" /moved /moved/x',
    ]);
  });

  test('device nodes are the same, and no more can be made or opened', async () => {
    await assertSame([
      `FROM ${busybox}`,
      'RUN mknod -m 640 /null c 1 3; mknod /sda b 8 0; mknod /pipe p; cd /tmp && umask 027 && mknod high b 250 1000 && ls -ln /null /sda /pipe high',
      'RUN mkdir -p /d/e && ln -s /d /tmp/link && cd /tmp && mknod ../tmp/link/e/n c 5 1 && mknod link/e/../m c 4 300 && ls -ln /d /d/e',
      'RUN mknod /null c 1 3; mknod /missing/n c 1 3; mknod /bin/sh/n c 1 3; mknod /dev/own c 1 9 && ls -ln /dev/own; cat /null; true',
      'RUN mknod /zero c 0 0 || true; mkdir -m 2775 /sgid && chown 0:9 /sgid && mknod /sgid/n c 1 5 && ls -ln /sgid',
      'RUN mkdir /root2 && cp -r /bin /root2/ && chroot /root2 mknod /inside b 1 1 && chroot /root2 mknod /../../outside b 1 1; ls /root2',
      'RUN mkdir -m 700 /closed && chown 1000 /closed',
      'USER 1000:1000',
      'RUN mknod /closed/n c 1 3 || echo refused; mknod /closed/p p && ls -ln /closed',
    ]);
  });

  test('mounts are the same, and a cache is one cache for both', async () => {
    await assertSame([
      `FROM ${busybox} AS other`,
      'RUN mkdir /o && echo o >/o/f && chown 12:13 /o/f',
      `FROM ${busybox}`,
      'RUN --mount=type=cache,target=/c,uid=5,gid=6,mode=0750 ls -lnd /c; touch /c/x && chown 8:9 /c/x && ls -ln /c',
      'RUN --mount=type=cache,target=/plain touch /plain/y && ls -lnd /plain /plain/y',
      'RUN --mount=type=tmpfs,target=/t ls -lnd /t; touch /t/x && chown 3:4 /t/x && ls -ln /t',
      'RUN --mount=from=other,target=/o,source=/o ls -ln /o; touch /o/n || true',
      'RUN --mount=from=other,target=/o,source=/o,rw touch /o/n && ls -ln /o',
      'RUN --mount=target=/in,source=in,rw ls -ln /in && touch /in/mine && ls -ln /in',
      'RUN ls -ln /dev /etc/hosts /etc/resolv.conf | cut -c 1-44; ls -lnd /dev/pts /dev/shm /dev/mqueue | cut -c 1-44; echo out >/dev/stdout',
      'USER 1000',
      'RUN echo out >/dev/stdout; cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -n -H',
    ]);
    const cached =
      'RUN --mount=type=cache,target=/both,uid=5,gid=6,mode=0750 touch /both/$WHO && chown 8:9 /both/$WHO; ls -lnd /both /both/*';
    const lines = (who: string) => [`FROM ${busybox}`, `ENV WHO=${who}`, cached.replaceAll('ls -lnd', 'stat -c "%u %g %n"')];
    const context = await cooper.context('both', { Dockerfile: lines('auto').join('\n') });
    await cooper.built(['--userns=auto', context]);
    await cooper.context('both', { Dockerfile: lines('host').join('\n') });
    const built = await cooper.built(['--userns=host', context]);
    assert.deepEqual(outputOf(built), '5 6 /both\n8 9 /both/auto\n8 9 /both/host\n');
  });

  test('a Debian with packages, capabilities of files, access lists and users is the same', async () => {
    const args = await packageSecrets(cooper);
    await assertSame(
      [
        `FROM ${debian}`,
        'RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/90machine apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \\',
        '    apt-get install -q -y --no-install-recommends sudo iputils-ping acl libcap2-bin attr >/dev/null 2>&1 && rm -rf /var/lib/apt/lists \\',
        '    /var/log/* /var/cache/ldconfig /var/cache/apt',
        'RUN useradd --create-home --uid 70000 someone && groupadd --gid 2000000000 far && usermod -aG far someone && echo someone:x | chpasswd -e',
        'RUN cp /bin/ls /own && setcap cap_net_raw,cap_net_bind_service=+ep /own && getcap /own "$(command -v ping)" && chown 5:6 /home/someone/.profile',
        'RUN setfacl -m u:70000:rwx,g:2000000000:r /srv && getfacl -n /srv && setfattr -n user.x -v y /own && getfattr -n user.x /own',
        'RUN setfattr -n trusted.x -v y /own || echo refused; setfattr -n security.x -v y /own || echo refused; chmod u+s /own',
        'RUN dpkg-divert --rename --divert /bin/cat.real --add /bin/cat && ln -s cat.real /bin/cat && dpkg --verify sudo iputils-ping',
        'RUN mkdir /t && mknod /t/n c 1 3 && tar -C / --mtime=@0 -cf /t.tar t && rm -r /t && tar -C / --numeric-owner -xpf /t.tar && ls -ln /t',
        'RUN ping -c 1 -q 127.0.0.1 | grep received; sudo -u someone ping -c 1 -q 127.0.0.1 | grep -c received; sudo -u someone id',
        'USER someone',
        'RUN id -Gn; ping -c 1 -q 127.0.0.1 | grep -c received; /own -d /',
      ],
      args,
    );
  });

  test('what COOPER_USERNS and --userns cannot be is said', async () => {
    const context = await cooper.context('wrong', { Dockerfile: 'FROM scratch' });
    const flag = await cooper.run(['build', '--userns=hots', context]);
    assert.equal(flag.status, 2);
    assert.match(flag.stderr, /"--userns" is "hots", which is no mode \[ARG_INVALID\]\n {2}hint: did you mean "host"\?/);
    const variable = await cooper.run(['build', context], { env: { COOPER_USERNS: 'x' } });
    assert.match(variable.stderr, /"COOPER_USERNS" is "x"/);
  });
});

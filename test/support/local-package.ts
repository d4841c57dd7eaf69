import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tool } from './tools.ts';

/** What packages do with ids when they are installed: a user, directories and files of its, a program with its rights, words for sudo. */
const afterInstall = `#!/bin/sh
set -e
useradd --system --uid 990 --create-home --home-dir /var/lib/app --shell /bin/sh app
install -d -o app -g adm -m 2750 /var/lib/ids
install -o 4321 -g app -m 640 /dev/null /var/lib/ids/conf
chown -R app: /usr/share/ids
cp /bin/true /usr/bin/as-app
chown app:staff /usr/bin/as-app
chmod 6755 /usr/bin/as-app
mkdir -p /etc/sudoers.d
echo 'app ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/app
chmod 440 /etc/sudoers.d/app
`;

const control = `Package: ids
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: has to do with ids
`;

/** Makes a package of Debian's kind in `directory`; gives its file's name. No package source is asked. */
export async function makePackage(directory: string): Promise<string> {
  const tree = join(directory, 'ids');
  await mkdir(join(tree, 'DEBIAN'), { recursive: true });
  await mkdir(join(tree, 'usr/share/ids'), { recursive: true });
  await writeFile(join(tree, 'usr/share/ids/data'), 'data\n');
  await writeFile(join(tree, 'DEBIAN/control'), control);
  await writeFile(join(tree, 'DEBIAN/postinst'), afterInstall);
  await chmod(join(tree, 'DEBIAN/postinst'), 0o755);
  const file = join(directory, 'ids.deb');
  await tool('dpkg-deb', ['--build', '--root-owner-group', '-Znone', tree, file]);
  return file;
}

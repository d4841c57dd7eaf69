#!/bin/sh
# busybox-base.sh LAYOUT: makes an OCI layout with this machine's static busybox and its applets, tag "latest".
set -eu
layout=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/cooper-busybox-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/proc" "$root/root" "$root/home/user" "$root/sys" "$root/tmp"
chmod 755 "$root" "$root"/* "$root/home/user"
chmod 1777 "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nuser:x:1000:\nstaff:x:50:user\n' >"$root/etc/group"
chown -R 1000:1000 "$root/home/user"
tar --create --file "$work/base.tar" --directory "$root" --sort=name --numeric-owner --mtime=@0 .
sh "$(dirname "$0")/layout.sh" "$work/layout" latest "$work/base.tar" sh
mv "$work/layout" "$layout"

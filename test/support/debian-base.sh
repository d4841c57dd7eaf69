#!/bin/sh
# debian-base.sh LAYOUT CODENAME SOURCES APT_CONF: makes an OCI layout with a minimal Debian, tag "bookworm" or what CODENAME says,
# from the package sources of this machine. apt works in it; what is only this machine's way to reach them stays out of it.
set -eu
layout=$1 codename=$2 sources=$3 conf=$4
work=$(mktemp -d "${TMPDIR:-/tmp}/cooper-debian-XXXXXX")
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016 # $1 is mmdebstrap's, for its hook.
mmdebstrap --quiet --variant=minbase --include=ca-certificates --aptopt="$conf" \
  --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf "$1"/etc/hostname' \
  "$codename" "$work/base.tar" "$sources"
sh "$(dirname "$0")/layout.sh" "$work/layout" "$codename" "$work/base.tar" bash
mv "$work/layout" "$layout"

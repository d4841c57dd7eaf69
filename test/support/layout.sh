#!/bin/sh
# layout.sh LAYOUT TAG TAR COMMAND: makes an OCI layout with an image of one layer.
set -eu
umoci init --layout "$1"
umoci new --image "$1:$2"
umoci raw add-layer --image "$1:$2" "$3"
umoci config --image "$1:$2" --clear=config.entrypoint --config.cmd "$4" \
  --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

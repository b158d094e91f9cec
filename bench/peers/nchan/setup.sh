#!/usr/bin/env bash
# Unpacks Debian's nginx and its module nchan here; the system's own nginx is left alone.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/nchan
installed=$here/.installed
if [ ! -f "$installed/versions" ]; then
  rm -rf "$installed"
  unpack "$installed" nginx libnginx-mod-nchan
  mv "$installed/unpacked" "$installed/versions"
fi

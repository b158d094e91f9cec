#!/usr/bin/env bash
# Unpacks Debian's nginx and its module nchan here; the system's own nginx is left alone.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/nchan
installed=$here/.installed
need apt-get "this peer comes as a package of Debian"
if [ ! -f "$installed/versions" ]; then
  rm -rf "$installed"
  mkdir -p "$installed/packages"
  (cd "$installed/packages" && apt-get download --quiet=2 nginx libnginx-mod-nchan)
  for package in "$installed"/packages/*.deb; do dpkg-deb --extract "$package" "$installed"; done
  dpkg-deb --show --showformat '${Package} ${Version}\n' "$installed/packages/nginx_"*.deb >"$installed/versions.new"
  dpkg-deb --show --showformat '${Package} ${Version}\n' "$installed/packages/libnginx"*.deb >>"$installed/versions.new"
  rm -r "$installed/packages"
  mv "$installed/versions.new" "$installed/versions"
fi

#!/usr/bin/env bash
# Installs Django, Channels and both ASGI servers into a virtual environment here.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/channels
need python3 "apt-get install python3 python3-venv"
installed=$here/.installed
if ! cmp -s "$here/requirements.txt" "$installed/requirements.txt"; then
  rm -rf "$installed"
  python3 -m venv "$installed"
  "$installed/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$installed/requirements.txt"
fi

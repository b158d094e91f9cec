#!/usr/bin/env bash
# Builds Sockudo from the registry of Rust packages, in one unit and optimised across crates. It takes long.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/sockudo
installed=$here/.installed
version=5.2.0
need cargo "install Rust from https://rustup.rs"
if [ "$(cat "$installed/version" 2>/dev/null)" != "$version" ]; then
  # A dependency of it asks for the compiler of Protocol Buffers.
  if ! command -v protoc >/dev/null; then
    unpack "$installed/protoc" protobuf-compiler libprotoc32 libprotobuf32 libprotobuf-dev
    export PROTOC=$installed/protoc/usr/bin/protoc
    export PROTOC_INCLUDE=$installed/protoc/usr/include
    export LD_LIBRARY_PATH=$installed/protoc/usr/lib/$(gcc -print-multiarch)
  fi
  # The folder of the build stays when it fails, so that the next try goes on from there.
  CARGO_TARGET_DIR=$installed/target CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
    CARGO_PROFILE_RELEASE_STRIP=true nice cargo install --quiet --locked --no-track --force \
    --root "$installed" --version "=$version" sockudo
  rm -rf "$installed/target" "$installed/protoc"
  echo "$version" >"$installed/version"
fi

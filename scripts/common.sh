# Functions that the other scripts share. To be sourced by bash, from anywhere.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

fail() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

# Whether version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_rust() {
  command -v cargo >/dev/null || fail "Rust is missing. Install it from https://rustup.rs and come back."
  local version
  version=$(cargo --version | cut -d ' ' -f 2)
  at_least "$version" 1.90.0 || fail "Rust $version is too old: 1.90 or newer is needed (rustup update)."
  command -v cc >/dev/null || fail "A C compiler is missing, which SQLite needs: apt-get install build-essential"
}

need_node() {
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "Node.js with npm is missing. Install version 20.19 or newer (https://nodejs.org) and come back."
  local version
  version=$(node --version | tr -d v)
  at_least "$version" 20.19.0 || fail "Node.js $version is too old: 20.19 or newer is needed."
}

# Installs the packages of js/ when the lock file is newer than what is there.
npm_packages() {
  if [ ! -f js/node_modules/.package-lock.json ] || [ js/package-lock.json -nt js/node_modules/.parlour-installed ]; then
    say "Installing npm packages"
    npm --prefix js ci --no-audit --no-fund || npm --prefix js install --no-save --no-audit --no-fund || return 1
    touch js/node_modules/.parlour-installed
  fi
}

# Builds the inbox when a source of it is newer than what is built.
build_inbox() {
  local dist=js/apps/inbox/dist/index.html
  if [ ! -f "$dist" ] || [ -n "$(find js/apps/inbox js/packages js/package-lock.json \
    \( -name node_modules -o -name dist -o -name e2e -o -name test-results \) -prune -o -type f -newer "$dist" -print -quit)" ]; then
    say "Building the inbox"
    npm --prefix js run build -w inbox || return 1
  fi
}

target_dir() { echo "${CARGO_TARGET_DIR:-target}"; }

# Installs packages of the system by name, as root or with sudo.
install_packages() {
  command -v apt-get >/dev/null || return 1
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# Prints the path of a Chromium, after installing one when there is none.
find_chromium() {
  local name
  for name in "${CHROMIUM_BIN:-chromium}" chromium chromium-browser google-chrome; do
    if command -v "$name"; then
      return
    fi
  done
  install_packages chromium >&2 && command -v chromium
}

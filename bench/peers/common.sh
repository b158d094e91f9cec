# Functions that the scripts of the peers share. To be sourced by bash.

set -euo pipefail
peers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

# Unpacks packages of Debian into a folder, without installing them: folder, names.
unpack() {
  local folder=$1 package
  shift
  need apt-get "this needs packages of Debian"
  rm -rf "$folder/packages"
  mkdir -p "$folder/packages"
  # As root it warns that it cannot become somebody else there.
  (cd "$folder/packages" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$@")
  for package in "$folder"/packages/*.deb; do
    dpkg-deb --extract "$package" "$folder"
    dpkg-deb --show --showformat '${Package} ${Version}\n' "$package"
  done >"$folder/unpacked"
  rm -r "$folder/packages"
}

# Makes the folder of a peer's data anew: in BENCH_DATA, where that is given, so that several can run at a time.
make_state() {
  state=${BENCH_DATA:-$peers/.state}/$1
  rm -rf "$state"
  mkdir -p "$state"
}

# A connection needs a file descriptor.
raise_limits() { ulimit -n "$(ulimit -H -n)"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Waits until a port of this machine is open: port, log.
await_port() {
  for _ in $(seq 400); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.05
  done
  cat "$2" >&2
  fail "nothing listens on port $1"
}

# Engines are children of the peer, so that what they use is counted as the peer's, and they end with it: the kernel
# sends them the signal when this process, which becomes the peer's by exec, is gone.

# Starts Redis without persistence, and sets REDIS_URL.
start_redis() {
  need redis-server "apt-get install redis-server"
  local port
  port=$(free_port)
  setpriv --pdeathsig TERM redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
    --dir "$state" </dev/null >"$state/redis.log" 2>&1 &
  await_port "$port" "$state/redis.log"
  export REDIS_URL=redis://127.0.0.1:$port
}

# Starts PostgreSQL, durable as it comes, and sets DATABASE_URL.
start_postgres() {
  local programs port runner=()
  programs=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
  [ -n "$programs" ] || programs=$(dirname "$(command -v initdb || fail 'PostgreSQL is missing: apt-get install postgresql')")
  port=$(free_port)
  mkdir "$state/postgres"
  # It refuses to be root.
  if [ "$(id -u)" -eq 0 ]; then
    chown nobody "$state/postgres"
    chmod a+x "$(dirname "$state")" "$state"
    runner=(--reuid nobody --regid nogroup --clear-groups)
  fi
  setpriv "${runner[@]}" --pdeathsig INT "$programs/initdb" -D "$state/postgres/data" -A trust -U bench -E UTF8 \
    --locale=C --no-sync >"$state/initdb.log" 2>&1 || { cat "$state/initdb.log" >&2; fail "initdb failed"; }
  setpriv "${runner[@]}" --pdeathsig INT "$programs/postgres" -D "$state/postgres/data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c "unix_socket_directories=" </dev/null >"$state/postgres.log" 2>&1 &
  for _ in $(seq 400); do
    if "$programs/pg_isready" -q -h 127.0.0.1 -p "$port"; then
      export DATABASE_URL=postgres://bench@127.0.0.1:$port/postgres
      return
    fi
    sleep 0.05
  done
  cat "$state/postgres.log" >&2
  fail "PostgreSQL does not start"
}

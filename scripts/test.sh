#!/usr/bin/env bash
# Everything: format, lints, all tests, browser tests. The last line sums up what ran.
#
# Each check (format, a linter, a build) counts as one; each test as one. What cannot run on this machine is
# named loudly at the end; where CI is set, browser tests that cannot run count as failed.
set -uo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
need_node

export NO_COLOR=1 CARGO_TERM_COLOR=never RUST_BACKTRACE=0
logs=$(target_dir)/test-logs
mkdir -p "$logs"
passed=0
failed=0
skipped=()
broken=()

# Sums numbers such as that of "12 passed": the word, the log, the pattern of the lines that count.
count() {
  grep -E "$3" "$2" | grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'
}

# Runs a stage: name, pattern of the lines that sum up its tests (empty: it is one check), command.
stage() {
  local name=$1 lines=$2 log status begun=$SECONDS good=0 bad=0
  shift 2
  log=$logs/${name// /-}.log
  say "$name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  if [ -n "$lines" ]; then
    good=$(count passed "$log" "$lines")
    bad=$(count failed "$log" "$lines")
    # It ended badly without a test to blame.
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  elif [ "$status" -eq 0 ]; then
    good=1
  else
    bad=1
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" -ne 0 ]; then broken+=("$name: see $log"); fi
  echo "[$name: $good passed, $bad failed, $((SECONDS - begun)) s]"
  return "$status"
}

skip() {
  printf '\n*** SKIPPED: %s ***\n' "$1"
  skipped+=("$1")
}

js() { npm --prefix js run "$@"; }

# A function is read whole before it runs: the script may be edited meanwhile.
everything() {
  stage "npm packages" "" npm_packages
  stage "inbox build" "" build_inbox

  stage "rust format" "" cargo fmt --all --check
  stage "rust lints" "" cargo clippy --workspace --all-targets --locked -- -D warnings
  if cargo deny --version >/dev/null 2>&1; then
    stage "rust dependencies" "" cargo deny --offline check --hide-inclusion-graph licenses bans sources
    if timeout 90 cargo deny fetch db >/dev/null 2>&1; then
      stage "rust advisories" "" cargo deny --offline check advisories
    else
      skip "advisories about Rust dependencies: their database cannot be fetched here"
    fi
  else
    skip "licences and advisories of Rust dependencies: cargo-deny is not installed (cargo install cargo-deny)"
  fi

  # Everything is built at once: packages built one by one have other features in common, and most is built twice.
  local run_tests=(cargo test --workspace --all-targets --locked) sums='^test result: '
  if cargo nextest --version >/dev/null 2>&1; then
    run_tests=(cargo nextest run --workspace --locked) sums='^ *Summary '
  fi
  if stage "rust build" "" "${run_tests[@]}" --no-run; then
    export PARLOUR_BIN
    case $(target_dir) in
      /*) PARLOUR_BIN=$(target_dir)/debug/parlour ;;
      *) PARLOUR_BIN=$PWD/$(target_dir)/debug/parlour ;;
    esac
  fi
  stage "rust tests" "$sums" "${run_tests[@]}" --no-fail-fast
  stage "rust examples in documentation" '^test result: ' cargo test --workspace --doc --locked --no-fail-fast

  stage "typescript format, lints and types" "" js check
  stage "typescript unused code" "" js knip
  stage "typescript tests" '^ *Tests ' js test

  stage "existing clients" '^ *Tests ' scripts/clients.sh

  if chromium=$(find_chromium); then
    export CHROMIUM_BIN=$chromium
    stage "browser tests" '^ *[0-9]+ (passed|failed)' js e2e -w inbox
  else
    skip "browser tests: there is no Chromium and it could not be installed (apt-get install chromium)"
    if [ -n "${CI:-}" ]; then failed=$((failed + 1)); fi
  fi

  say "Summary"
  for name in "${skipped[@]:+${skipped[@]}}"; do echo "SKIPPED: $name"; done
  for name in "${broken[@]:+${broken[@]}}"; do echo "FAILED:  $name"; done
  echo "$((SECONDS / 60)) min $((SECONDS % 60)) s"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}

everything
exit

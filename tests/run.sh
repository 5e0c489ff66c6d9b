#!/usr/bin/env bash
# Builds everything and runs all tests: tests/run.sh [PRESET] [flags of ctest]; PRESET is release unless it is named.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../examples/support/setup.sh"

preset=release
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  preset=$1
  shift
fi

configure "$preset" ON
build "$preset"
say "Testing (preset $preset)"
ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error --parallel 2 "$@" < /dev/null

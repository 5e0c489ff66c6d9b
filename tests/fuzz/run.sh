#!/usr/bin/env bash
# Builds the fuzz targets with Clang under the address and undefined-behavior sanitizers and runs each of them:
# tests/fuzz/run.sh [SECONDS [TARGET...]]; 60 seconds each, all targets, as many at once as there are processors.
# Exits 1 if a target found something.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../examples/support/setup.sh"

seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
[ $# -gt 0 ] || targets=(idx gzip mnist safetensors settings)
most_memory=1024 # MB, the sanitizers' own included
longest_input=4096

need_packages clang libclang-rt-14-dev nlohmann-json3-dev libcli11-dev
configure fuzz OFF
build fuzz "${targets[@]/#/fuzz_}"

place="$root/build/fuzz"
"$root/tests/fuzz/seeds.sh" "$place/seeds"
# Keeps the targets' files in memory if possible, because a disk would be flushed at every save.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

# Runs one target and prints the result. Fails if it found something.
fuzz() {
  local target=$1 log="$place/$1.log" outcome=none
  mkdir -p "$place/corpus/$target" "$place/findings/$target"
  "$place/tests/fuzz/fuzz_$target" "$place/corpus/$target" "$place/seeds/$target" -max_total_time="$seconds" \
    -max_len="$longest_input" -rss_limit_mb="$most_memory" -timeout=10 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$place/findings/$target/" &> "$log" < /dev/null || outcome="see $log"
  stat() { sed -nE "s/^stat::$1: *//p" "$log"; }
  printf '%-12s %12s %11s MB   %s\n' "$target" "$(stat number_of_executed_units)" "$(stat peak_rss_mb)" "$outcome"
  [ "$outcome" = none ]
}

printf '%-12s %12s %14s   %s\n' target executions 'peak memory' findings
export place seconds longest_input most_memory
export -f fuzz
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I TARGET bash -c 'fuzz TARGET' || exit 1

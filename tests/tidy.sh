#!/usr/bin/env bash
# Runs clang-tidy with the checks of .clang-tidy: tests/tidy.sh [FILE...]; all sources unless some are named.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../examples/support/setup.sh"

need_packages clang-tidy git
configure release ON
# Clang 14 cannot compile libtorch's headers as C++20.
[ $# -gt 0 ] || mapfile -t files < <(git -C "$root" ls-files '*.cpp' ':!tests/bench/torch_peer.cpp' | sed "s|^|$root/|")
[ $# -eq 0 ] || files=("$@")
say "Running clang-tidy on ${#files[@]} files"
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$root/build/release" --quiet --warnings-as-errors='*' 2> /dev/null

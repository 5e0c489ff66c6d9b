#!/usr/bin/env bash
# Uses the library as other projects do, from an installed prefix and by add_subdirectory: tests/consumer/run.sh BUILD_DIR,
# where the library is built.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
fail() {
  printf 'consumer: %s\n' "$*" >&2
  exit 1
}

cmake --install "$1" --prefix "$work/prefix" > /dev/null
outside=$(cd "$work/prefix" && find . -name '*.h' ! -path './include/adjoint/*')
[ -z "$outside" ] || fail "headers installed outside of include/adjoint: $outside"
[ ! -e "$work/prefix/include/adjoint/kernels" ] || fail "internal headers are installed"
cmake -S "$here" -B "$work/installed" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" > /dev/null
cmake --build "$work/installed" > "$work/log" || { cat "$work/log" >&2; fail "it does not compile"; }
printed=$("$work/installed/consumer")
[ "$printed" = '2 4 7' ] || fail "with the installed library it prints: $printed"

# The library is not built again here: the flags of one file show how it would be built.
cmake -S "$here" -B "$work/inside" -G Ninja -DADJOINT_SOURCE="$root" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON > /dev/null
ninja -C "$work/inside" CMakeFiles/consumer.dir/main.cpp.o > /dev/null
grep -q 'O2.*gemm.cpp' "$work/inside/compile_commands.json" || fail "without a build type kernels are not optimized"
cmake --install "$work/inside" --prefix "$work/parent" > /dev/null
[ ! -e "$work/parent" ] || fail "add_subdirectory adds to the install of its parent: $(find "$work/parent")"
echo "installed and added: fine"

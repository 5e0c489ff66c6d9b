#!/usr/bin/env bash
# Checks that a test fails for each of the faults in mutants.txt: tests/mutation/run.sh [--jobs N] [REGULAR EXPRESSION].
# With an expression, only mutants whose file or text matches are run.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../examples/support/setup.sh"

need_packages python3 git "${build_packages[@]}" "${test_packages[@]}"
build="$root/build/mutation"

python3 "$root/tests/mutation/mutants.py" rewrite "$build/source"
say "Building the tests with all mutants in them"
# Many tests run with every instruction set. A mutant is in the code of all of them, so one instruction set is enough.
cmake -S "$build/source" -B "$build/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DADJOINT_BUILD_TESTS=ON \
  -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG -w -DHWY_COMPILE_ONLY_STATIC -include $root/tests/mutation/mutant.h" < /dev/null > /dev/null
cmake --build "$build/build" --target suites -- --quiet < /dev/null
python3 "$root/tests/mutation/mutants.py" run --tests "$build/build/tests" "$@"

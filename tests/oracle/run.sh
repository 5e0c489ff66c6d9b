#!/usr/bin/env bash
# Compares ops with libtorch on random examples: tests/oracle/run.sh [flags of the test program].
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../examples/support/setup.sh"

need_packages libtorch-dev
configure release ON
(cd "$root" && cmake --preset release -DADJOINT_BUILD_ORACLE=ON < /dev/null) > /dev/null
build release oracle_test
"$root/build/release/tests/oracle/oracle_test" --gtest_brief=1 "$@"

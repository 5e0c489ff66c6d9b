#!/usr/bin/env bash
# Builds for aarch64 with a cross compiler and runs the tests under qemu: tests/arm64.sh [flags of ctest].
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../examples/support/setup.sh"

packages="$root/build/arm64-packages"

# apt-get and apt-cache for arm64, with lists and downloads of their own: the system's stay as they are.
for_arm64() {
  local program=$1
  shift
  "$program" -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$packages" \
    -o Dir::State::status="$packages/status" -o Dir::Cache="$packages" -o APT::Sandbox::User=root "$@" < /dev/null
}

# Unpacks, once, the libraries that the library and its tests link, and the libraries that these packages depend on.
# The C and C++ libraries come with the cross compiler.
unpack_packages() {
  local package wanted=() depended
  [ ! -e "$packages/complete" ] || return 0
  rm -rf -- "$packages"
  mkdir -p "$packages/lists/partial" "$packages/archives/partial" "$packages/root"
  : > "$packages/status"
  for package in "${build_packages[@]}" "${test_packages[@]}"; do
    [[ $package != *-dev ]] || wanted+=("$package")
  done
  say "Fetching libraries for arm64: ${wanted[*]}"
  for_arm64 apt-get update > /dev/null
  depended=$(for_arm64 apt-cache depends --important "${wanted[@]}" | awk '$1 == "Depends:" && $2 ~ /^lib/ { print $2 }')
  # shellcheck disable=SC2086 # one word a package
  (cd "$packages" && for_arm64 apt-get download "${wanted[@]}" $depended > /dev/null)
  for package in "$packages"/*.deb; do dpkg-deb -x "$package" "$packages/root"; done
  touch "$packages/complete"
}

need_packages g++-aarch64-linux-gnu qemu-user
unpack_packages
configure arm64 ON
build arm64 suites mnist_cnn
say "Testing (preset arm64, under qemu)"
# Tests that count or fail allocations in large networks take an hour under qemu and are the same on every processor.
ctest --test-dir "$root/build/arm64" --output-on-failure --no-tests=error --parallel "$(nproc)" \
  --exclude-regex 'ASteadyLoopMakesNone|EachAllocationMayFail' "$@" < /dev/null
say "Gradients of the documented network against the formulas"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$root/build/arm64/examples/mnist_cnn" --verify-gradients

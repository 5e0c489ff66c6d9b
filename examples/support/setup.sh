# Shared by the scripts: installs missing packages, and builds. To be sourced by bash with set -euo pipefail.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." > /dev/null && pwd)

# Debian's names of the packages that the library and programs need to build, and of those that the tests need, too.
build_packages=(g++ cmake ninja-build libfmt-dev libhwy-dev libsleef-dev zlib1g-dev nlohmann-json3-dev libcli11-dev)
test_packages=(libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev)

say() { printf -- '-- %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
  exit 1
}

has_program() { command -v "$1" > /dev/null; }
has_header() {
  printf '#if !__has_include(<%s>)\n#error missing\n#endif\n' "$1" | "${CXX:-c++}" -std=c++20 -E -x c++ - > /dev/null 2>&1
}

# Whether the programs or headers that a package is needed for are installed, from any source.
is_there() {
  case $1 in
    g++) has_program "${CXX:-c++}" ;;
    ninja-build) has_program ninja ;;
    libfmt-dev) has_header fmt/core.h ;;
    libhwy-dev) has_header hwy/highway.h ;;
    libsleef-dev) has_header sleef.h ;;
    zlib1g-dev) has_header zlib.h ;;
    libcli11-dev) has_header CLI/CLI.hpp ;;
    nlohmann-json3-dev) has_header nlohmann/json.hpp ;;
    libgtest-dev) has_header gtest/gtest.h ;;
    libgmock-dev) has_header gmock/gmock.h ;;
    librapidcheck-dev) has_header rapidcheck/gtest.h ;;
    libbenchmark-dev) has_header benchmark/benchmark.h ;;
    libtorch-dev) [ -e /usr/include/torch/csrc/api/include/torch/torch.h ] ;;
    libclang-rt-14-dev) [ -e "$(clang++ -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2> /dev/null)" ] ;;
    g++-aarch64-linux-gnu) has_program aarch64-linux-gnu-g++ ;;
    qemu-user) has_program qemu-aarch64 ;;
    ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
    *) has_program "$1" ;;
  esac
}

# need_packages PACKAGE...: installs those that are missing, or says what to install and exits 1.
need_packages() {
  local package missing=() as_root=()
  for package in "$@"; do is_there "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  has_program apt-get || fail "please install (Debian's names): ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    has_program sudo || fail "please install as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  "${as_root[@]}" update < /dev/null || true # a broken source that is not needed is no reason to stop
  "${as_root[@]}" install --no-install-recommends "${missing[@]}" < /dev/null > /dev/null ||
    fail "apt-get could not install ${missing[*]}"
}

# configure PRESET TESTS: configures once, and again if TESTS is ON but tests and benchmarks were left out before.
# Installs the needed packages first.
configure() {
  local tests=$2 build="$root/build/$1"
  need_packages "${build_packages[@]}"
  if [ "$tests" = ON ]; then
    need_packages "${test_packages[@]}"
  elif grep -qs '^ADJOINT_BUILD_TESTS:BOOL=ON' "$build/CMakeCache.txt"; then
    tests=ON
  fi
  if [ -e "$build/build.ninja" ] && [ ! "$root/CMakePresets.json" -nt "$build/build.ninja" ] &&
    grep -qs "^ADJOINT_BUILD_TESTS:BOOL=$tests" "$build/CMakeCache.txt"; then
    return
  fi
  say "Configuring (preset $1)"
  (cd "$root" && cmake --preset "$1" -DADJOINT_BUILD_TESTS="$tests" -DADJOINT_BUILD_BENCHMARKS="$tests" < /dev/null) > /dev/null
}

# build PRESET [TARGET...]: everything when no target is named.
build() {
  local preset=$1 quiet=(--quiet)
  shift
  [ -t 1 ] && quiet=()
  say "Building ${*:-everything} (preset $preset)"
  cmake --build "$root/build/$preset" --target "${@:-all}" -- "${quiet[@]}" < /dev/null
}

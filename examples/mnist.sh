#!/usr/bin/env bash
# Trains the documented CNN on MNIST: examples/mnist.sh [flags of mnist_cnn, listed by --help]
# First installs missing packages, builds, and downloads the data. If the download fails, trains on the embedded subset.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/support/setup.sh"

# Whether the flags say where the data is, or need no data.
data_is_settled() {
  local flag
  for flag in "$@"; do
    case $flag in --data | --data=* | --verify-gradients | -h | --help | --version) return 0 ;; esac
  done
  return 1
}

# Whether the program refuses the flags: then it exits with 2 before it looks for the data, whose path does not exist.
are_refused() {
  local code=0
  "$program" --data /dev/null/none "$@" &> /dev/null || code=$?
  [ $code -eq 2 ]
}

configure release OFF
build release mnist_cnn

program=$root/build/release/examples/mnist_cnn
data=()
if ! data_is_settled "$@" && ! are_refused "$@"; then
  if "$root/examples/get_mnist.sh"; then
    data=(--data "$root/examples/data/mnist")
  else
    say "MNIST could not be downloaded: training on the subset inside the library"
  fi
fi
exec "$program" "${data[@]}" "$@"

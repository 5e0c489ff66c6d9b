#!/usr/bin/env bash
# Trains the documented CNN on MNIST: examples/mnist.sh [flags of mnist_cnn, listed by --help]
# Installs what is missing, builds and fetches the data first; where that data cannot be had, the embedded subset does.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/support/setup.sh"

# Whether the flags say where the data is, or want none.
data_is_settled() {
  local flag
  for flag in "$@"; do
    case $flag in --data | --data=* | --verify-gradients | -h | --help | --version) return 0 ;; esac
  done
  return 1
}

configure release OFF
build release mnist_cnn

data=()
if ! data_is_settled "$@"; then
  if "$root/examples/get_mnist.sh"; then
    data=(--data "$root/examples/data/mnist")
  else
    say "The whole MNIST cannot be fetched: training on the embedded subset"
  fi
fi
exec "$root/build/release/examples/mnist_cnn" "${data[@]}" "$@"

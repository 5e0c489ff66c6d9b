#!/usr/bin/env bash
# Checks that autograd/ops/README.md names every op that a public header declares.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." > /dev/null && pwd)

missing=()
for op in $(grep -hoE '^(Tensor|TensorList|ValuesAndIndices|Slogdet) [a-z][a-z0-9_]*\(' "$root"/autograd/include/adjoint/ops/*.h |
  sed -E 's/^[^ ]+ //; s/\($//' | sort -u); do
  grep -q "\`$op\`" "$root/autograd/ops/README.md" || missing+=("$op")
done
[ ${#missing[@]} -eq 0 ] || { printf 'autograd/ops/README.md does not name: %s\n' "${missing[*]}" >&2 && exit 1; }

#!/usr/bin/env bash
# Writes the inputs that fuzzing starts from, a folder for each target: tests/fuzz/seeds.sh DIRECTORY
set -euo pipefail

rm -rf -- "$1"
mkdir -p -- "$1"/{idx,gzip,mnist,safetensors,settings}
cd -- "$1"

# IDX: a header of big-endian sizes, then the values.
printf '\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\3abcdef' > idx/images
printf '\0\0\10\1\0\0\0\3\1\2\3' > idx/labels
printf '\0\0\10\0x' > idx/scalar
printf '\0\0\10\3\0\0\0\5\0\0\0\0\0\0\0\7' > idx/empty
printf '\0\0\15\1\0\0\0\1abcd' > idx/floats
for file in images labels; do gzip -nc idx/$file > idx/$file.gz; done
cat idx/labels.gz idx/images.gz > idx/members.gz
{ cat idx/images.gz; head -c 512 /dev/zero; } > idx/padded.gz

# These targets take their choices from the end of the input, and bytes of files from its beginning.
cp idx/images idx/labels idx/scalar gzip
{ cat idx/images; printf '\1\2\3\0\0\0\0\0\0\0\0\0\1\377\1\0\0\0\2'; } > gzip/choices
for seed in 1 2 3 4; do head -c 96 /dev/zero | tr '\0' "\\$seed" > mnist/all-$seed; done
seq 1 90 > mnist/mixed

# safetensors: the length of the header in 8 bytes, the header, the values. safetensors NAME HEADER VALUES
safetensors() {
  printf "\\x$(printf %02x $((${#2} % 256)))\\x$(printf %02x $((${#2} / 256)))\0\0\0\0\0\0%s%s" "$2" "$3" > "safetensors/$1"
}
safetensors empty '{}' ''
safetensors padded '{}      ' ''
safetensors scalar '{"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}' 12345678
safetensors three '{"a.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]},"none":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]}}' 1234567812345678
safetensors metadata '{"__metadata__": {"format": "pt", "k": "\"\u00e4\ud834\udd1e\n"}, "late": {"data_offsets": [4, 12], "shape": [1], "dtype": "F64"}, "early": {"dtype": "F32", "data_offsets": [0, 4], "shape": []}}' 123456781234

# Words, one a line.
printf -- '--epochs\n3\n--batch-size=16\n--lr\n0.5\n--momentum\n0.9' > settings/training
printf -- '--activation\ntanh\n--pooling\nmax\n--seed\n7\n--threads\n2\n--limit\n100\n--test-batch-size\n9' > settings/more
printf -- '--data\n/tmp\n--metrics\nm\n--save\ns\n--load\nl\n--verify-gradients' > settings/files
printf -- '--help' > settings/help
printf -- '-hhh-seed' > settings/short
printf -- '--seed\n18446744073709551616\n--lr\n1e999' > settings/large

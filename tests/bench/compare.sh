#!/usr/bin/env bash
# Times Adjoint and libtorch side by side and prints a Markdown table: tests/bench/compare.sh [FLAGS], see --help.
set -euo pipefail
# shellcheck source=examples/support/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../examples/support/setup.sh"
export LC_ALL=C

usage() {
  cat << 'END'
tests/bench/compare.sh [FLAGS]
  --repetitions N   number of runs of each side; runs alternate, and the table has their medians (default 5)
  --rows PATTERN    only rows whose "model batch threads" matches, such as 'documented 32', 'vgg' or 'memory'
  --spread          also convolutions of many other shapes
  --random N        also N convolutions with random shapes, the same ones each time
  --quick           one repetition, and no row for the time of a clean build
  --data DIR        IDX files of MNIST (default: examples/data/mnist if it exists, else the images in the library)
  --limit PROGRAM   a training program for the documented CNN, written by hand, to compare with (tests/bench/README.md);
                    called as PROGRAM MNIST_DIR BATCH EPOCHS RATE, prints "... X us/sample ..." for each epoch
Without libtorch (apt-get install libtorch-dev), its column stays empty.
END
}

repetitions=5 pattern=. spread=false random=0 quick=false limit='' data=''
[ ! -d "$root/examples/data/mnist" ] || data="$root/examples/data/mnist"
while [ $# -gt 0 ]; do
  case $1 in
    --spread) spread=true ;;
    --quick) quick=true repetitions=1 ;;
    -h | --help) usage && exit 0 ;;
    --repetitions | --rows | --random | --data | --limit)
      [ $# -gt 1 ] || fail "$1 needs a value"
      case $1 in
        --repetitions) repetitions=$2 ;;
        --rows) pattern=$2 ;;
        --random) random=$2 ;;
        --data) data=$2 ;;
        --limit) limit=$2 ;;
      esac
      shift
      ;;
    *) fail "there is no flag $1; see --help" ;;
  esac
  shift
done
[[ $repetitions =~ ^[1-9][0-9]*$ ]] || fail "--repetitions must be a positive number"
[[ $random =~ ^[0-9]+$ ]] || fail "--random must be a number of shapes"
[ -z "$limit" ] || [ -n "$data" ] || fail "--limit needs --data"

# case | model | batch | threads | what the target is a multiple of | the multiple | unit
rows='documented CNN, batch 32|documented|32|1|limit|1.3|us/image
documented CNN, batch 128|documented|128|1|limit|1.3|us/image
documented CNN, batch 1000|documented|1000|1|limit|1.5|us/image
documented CNN, batch 32|documented|32|2|one thread|1.4|us/image
documented CNN, batch 128|documented|128|2|one thread|1.7|us/image
documented CNN, batch 1|documented|1|1|libtorch|20|us
5x5 network, batch 1|five|1|1|libtorch|25|us
2000 elementwise ops on 1 float|chain|1|1|libtorch|20|us
2000 elementwise ops on 1000 floats|chain|1000|1|libtorch|12|us
LeNet-5, batch 64|lenet5|64|1|libtorch|3|us
LeNet-5, batch 1|lenet5|1|1|libtorch|10|us
MLP 784-512-512-10, batch 128|mlp|128|1|libtorch|1.05|us
MLP 784-512-512-10, batch 1|mlp|1|1|libtorch|1.4|us
VGG-like, batch 64|vgg|64|1|libtorch|1.15|us
VGG-like, batch 1|vgg|1|1|libtorch|1.5|us
evaluation of 10,000 images|evaluation|1000|1|libtorch|8|ms'

# channels, height, width, maps, kernel, stride, padding, groups; float32 and float64 | batch
shapes='1,28,28,4,5,1,0,1|7
3,32,32,16,3,1,1,1|20
5,21,23,7,6,1,2,1|33
8,15,17,12,2,1,0,1|128
8,27,31,8,3,3,0,1|50
16,33,29,24,4,2,1,1|16
3,64,64,16,7,2,3,1|8
64,14,14,64,1,1,0,1|32
64,16,16,64,3,1,1,1|16
32,16,16,32,3,1,1,4|20
32,28,28,32,3,1,1,32|8
6,13,11,16,5,1,0,1|1'

add_spread() {
  local shape batch model threads
  while IFS='|' read -r shape batch; do
    for model in conv2d conv2d64; do
      for threads in 1 2; do
        rows+=$'\n'"$model $shape, batch $batch|$model:$shape|$batch|$threads|libtorch|1|us"
      done
    done
  done <<< "$shapes"
}

# Adds random shapes of at most 3e8 multiply-adds. The generator (Park and Miller's) gives the same numbers in every
# awk.
add_random() {
  rows+=$(awk -v count="$random" '
    function one_of(list, n, choices) {
      n = split(list, choices, " ")
      state = state * 16807 % 2147483647
      return choices[1 + int(state / 2147483647 * n)]
    }
    BEGIN {
      state = 20261124
      while (count > 0) {
        channels = one_of("1 2 3 4 6 8 16 32 64 128"); maps = one_of("1 4 6 10 16 20 32 64 128")
        kernel = one_of("1 2 3 4 5 6 7"); stride = one_of("1 1 1 2 3"); padding = one_of("0 1 1") * int(kernel / 2)
        height = one_of("7 8 12 14 17 28 32 45 56"); width = one_of("7 8 12 14 19 28 32 41 56")
        groups = one_of("1 1 1 1 2 4"); if (channels % groups || maps % groups) groups = 1
        batch = one_of("1 1 2 3 4 6 8 11 13 16 24 40 64 100"); threads = one_of("1 1 2")
        model = one_of("conv2d conv2d conv2d64")
        rows = int((height + 2 * padding - kernel) / stride) + 1
        columns = int((width + 2 * padding - kernel) / stride) + 1
        if (batch * maps * rows * columns * channels / groups * kernel ^ 2 > 3e8) continue
        --count
        shape = channels "," height "," width "," maps "," kernel "," stride "," padding "," groups
        printf "\n%s %s, batch %d|%s:%s|%d|%d|libtorch|1|us", model, shape, batch, model, shape, batch, threads
      }
    }')
}

# The numbers of stdin -> their median.
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

# pinned THREADS COMMAND...: on the first cores.
pinned() {
  local threads=$1
  shift
  OMP_NUM_THREADS="$threads" taskset -c "0-$((threads - 1))" "$@" < /dev/null
}

# run_side PROGRAM MODEL BATCH THREADS -> microseconds of a step
run_side() { pinned "$4" "$build/tests/bench/$1" "$2" "$3" "$4" 1 ${data:+"$data"}; }

# Debian's libtorch multiplies matrices with OpenBLAS, which treats a processor newer than itself as a very old one. So
# the peer is given the core type with which it is fastest.
choose_core_type() {
  local type us best_type='' best='' run=("$build/tests/bench/torch_peer" mlp 128 1 1)
  ldd "$build/tests/bench/torch_peer" | grep -q openblas ||
    printf 'compare.sh: libtorch is many times slower without OpenBLAS: apt-get install libopenblas0\n' >&2
  unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
  for type in '' Haswell SkylakeX Cooperlake; do # '': its own guess; one that the processor cannot run fails
    us=$(pinned 1 env ${type:+"OPENBLAS_CORETYPE=$type"} "${run[@]}" 2> /dev/null) || continue
    if [ -z "$best" ] || awk -v us="$us" -v best="$best" 'BEGIN { exit !(us < 0.97 * best) }'; then
      best=$us best_type=$type
    fi
  done
  [ -z "$best_type" ] || export OPENBLAS_CORETYPE=$best_type
}

# run_limit BATCH -> microseconds of a step; it takes multiples of 16 only
run_limit() {
  local batch=$((($1 + 15) / 16 * 16))
  pinned 1 "$limit" "$data" "$batch" 2 0.1 |
    awk -v batch="$1" '{ for (i = 2; i <= NF; ++i) if ($i ~ /^us\/sample/) us = $(i - 1) } END { print us * batch }'
}

# table_row CASE THREADS ADJOINT LIBTORCH TARGET OUTCOME
table_row() { printf '| %s | %s | %s | %s | %s | %s |\n' "$@"; }

# time_row: one of $rows
time_row() {
  local name=$1 model=$2 batch=$3 threads=$4 reference=$5 factor=$6 unit=$7 i
  local runs="$work/runs"
  rm -rf -- "$runs" && mkdir "$runs" && touch "$runs"/{ours,peer,limit,single,handover}
  for ((i = 0; i < repetitions; ++i)); do
    run_side adjoint_side "$model" "$batch" "$threads" >> "$runs/ours"
    [ $peer = false ] || run_side torch_peer "$model" "$batch" "$threads" >> "$runs/peer"
    [ "$reference" != limit ] || [ -z "$limit" ] || run_limit "$batch" >> "$runs/limit"
    [ "$reference" = 'one thread' ] || continue
    run_side adjoint_side "$model" "$batch" 1 >> "$runs/single"
    run_side adjoint_side handover 1 "$threads" >> "$runs/handover"
  done
  awk -v ours="$(median < "$runs/ours")" -v peer="$(median < "$runs/peer")" -v limit="$(median < "$runs/limit")" \
    -v single="$(median < "$runs/single")" -v handover="$(median < "$runs/handover")" \
    -v name="$name" -v batch="$batch" -v threads="$threads" -v reference="$reference" -v factor="$factor" -v unit="$unit" '
    function text(us) { return us == "" ? "" : sprintf(us * scale < 100 ? "%.3g %s" : "%.0f %s", us * scale, unit) }
    BEGIN {
      scale = unit == "us/image" ? 1 / batch : unit == "ms" ? 10000 / batch / 1000 : 1
      is_limit = reference == "limit"
      target = (is_limit ? "at most " : "at least ") factor " x " (is_limit ? "the limit" : reference)
      if (is_limit && limit != "") { target = target ", " text(limit); got = ours / limit; reached = got <= factor }
      if (reference == "libtorch" && peer != "") { got = peer / ours; reached = got >= factor }
      if (reference == "one thread") { got = single / ours; reached = got >= factor }
      outcome = got == "" ? "" : sprintf("%s: %.3g x", reached ? "reached" : "short", got)
      if (handover != "") outcome = outcome sprintf(", hand-over %.2g us", handover)
      beside = peer == "" ? "" : sprintf("%s, %.3g x", text(peer), peer / ours)
      printf "| %s | %d | %s | %s | %s | %s |\n", name, threads, text(ours), beside, target, outcome
    }'
}

# bound_row CASE THREADS ADJOINT LIBTORCH MOST UNIT
bound_row() {
  local outcome=short
  awk -v got="$3" -v most="$5" 'BEGIN { exit !(got <= most) }' && outcome=reached
  table_row "$1" "$2" "$3 $6" "${4:+$4 $6}" "at most $5 $6" "$outcome"
}

seconds_of() {
  local start=$EPOCHREALTIME
  "$@" < /dev/null > /dev/null
  awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.2f\n", end - start }'
}

memory_row() {
  pinned 1 "$build/examples/mnist_cnn" --data "$data" --batch-size 128 --epochs 1 --threads 1 \
    --metrics "$work/metrics" > /dev/null
  bound_row 'peak memory of mnist_cnn, all of MNIST, batch 128' 1 \
    "$(sed -nE 's/.*"peak_rss_bytes": ([0-9]+).*/\1/p' "$work/metrics" | awk '{ printf "%.0f", $1 / 1e6 }')" '' 110 MB
}

build_row() {
  (cd "$root" && cmake -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DADJOINT_BUILD_EXAMPLES=OFF \
    -DADJOINT_BUILD_TESTS=OFF -DADJOINT_BUILD_BENCHMARKS=OFF) > /dev/null
  bound_row 'clean release build of the library alone' 2 "$(seconds_of cmake --build "$work/build" -- -j2)" '' 60 s
}

header_row() {
  local torch_headers=/usr/include/torch/csrc/api/include torch_seconds='' i
  local compile=("${CXX:-c++}" -std=c++20 -O0 -c -o "$work/header.o")
  echo '#include <adjoint/adjoint.h>' > "$work/ours.cpp"
  echo '#include <torch/torch.h>' > "$work/peer.cpp"
  [ ! -d $torch_headers ] || torch_seconds=$(seconds_of "${compile[@]}" -isystem $torch_headers "$work/peer.cpp")
  bound_row 'compiling a file that includes only the umbrella header, -O0' 1 "$(
    for ((i = 0; i < repetitions; ++i)); do
      seconds_of "${compile[@]}" -I"$root/autograd/include" -I"$root/layers/include" "$work/ours.cpp"
    done | median
  )" "$torch_seconds" 1 s
}

build="$root/build/release"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
{
  configure release ON
  cmake -DADJOINT_TORCH_PEER=ON "$build"
  targets=(adjoint_side mnist_cnn)
  peer=false
  if grep -q '^build torch_peer:' "$build/build.ninja"; then
    peer=true
    targets+=(torch_peer)
  fi
  build release "${targets[@]}"
} > "$work/log" || fail "building failed: $(cat "$work/log")"
[ $spread = false ] || add_spread
[ "$random" = 0 ] || add_random
[ $peer = false ] || choose_core_type

printf '%s, %s, commit %s%s, median of %d, load at the start %s%s.\n\n' \
  "$(lscpu | sed -nE 's/^Model name: +//p' | head -n 1)" "$(date -u +%F)" \
  "$(git -C "$root" rev-parse --short HEAD 2> /dev/null || echo unknown)" \
  "$(git -C "$root" diff --quiet HEAD 2> /dev/null || echo ' with changes')" "$repetitions" \
  "$(cut -d ' ' -f 1 /proc/loadavg)" "${OPENBLAS_CORETYPE:+, libtorch with OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE}"
table_row case threads Adjoint 'libtorch, how many times slower' target outcome
table_row --- --: --: --: --- ---
while IFS='|' read -r -a row; do
  [[ ! "${row[1]} ${row[2]} ${row[3]}" =~ $pattern ]] || time_row "${row[@]}"
done <<< "$rows"
[ -z "$data" ] || [[ ! memory =~ $pattern ]] || memory_row
[ $quick = true ] || [[ ! build =~ $pattern ]] || build_row
[[ ! header =~ $pattern ]] || header_row

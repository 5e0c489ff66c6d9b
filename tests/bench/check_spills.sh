#!/usr/bin/env bash
# Looks for register blocks that do not fit the registers: tests/bench/check_spills.sh [BUILD_DIR]
# Disassembles the kernels of a release build (default build/release), for every instruction set, and prints
# each innermost loop of vector arithmetic that keeps a running value on the stack: the loop reads a vector
# from a place on the stack and then writes this place. Fails if there is one. Constants that a loop only
# reads from the stack are allowed, and values that it first writes and then reads: they make no chain from
# one iteration to the next.
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"
objects="${1:-$root/build/release}/CMakeFiles/adjoint.dir/autograd/kernels"
[ -d "$objects" ] || { echo "$objects: not found; build the preset release first" >&2; exit 2; }

find "$objects" -name "*.o" -exec objdump --disassemble --demangle --no-show-raw-insn {} + | awk -F '\t' '
  # Loops are jumps backwards to `first`. An innermost loop contains no other loop. Loops with calls are left
  # out.
  function check_loop(first, last,   i, slot, arithmetic, seen, running) {
    for (i = first; i <= last; ++i) {
      if (code[i] ~ /^(call|ret)/ || (i < last && i in target && target[i] >= first && target[i] <= i)) return
      if (code[i] ~ /^v?(fn?m(add|sub)[0-9]*|add|sub|mul|max|min)p[sd] /) ++arithmetic
      if (code[i] !~ /%[xyz]mm/ || !match(code[i], /-?[0-9a-fx]*\(%rsp\)/)) continue
      slot = substr(code[i], RSTART, RLENGTH)
      if (code[i] !~ /\(%rsp\)$/) { if (!(slot in seen)) seen[slot] = "read" }
      else if (seen[slot] == "read") running = running "\n    " code[i]
      else seen[slot] = "written"
    }
    if (arithmetic < 4 || running == "") return
    print name "\n  " last - first + 1 " instructions, " arithmetic " of arithmetic; running values on the stack:" running
    ++found
  }
  function check_function(   i) {
    for (i in jump) if (jump[i] in line) target[i] = line[jump[i]]
    for (i in target) if (target[i] <= i + 0) check_loop(target[i], i + 0)
    split("", jump); split("", line); split("", target); split("", code); count = 0
  }
  /^[0-9a-f]+ <.*>:$/ { check_function(); name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name) }
  NF == 2 && $1 ~ /^ *[0-9a-f]+:$/ {
    address = $1; gsub(/[ :]/, "", address)
    line[address] = ++count; code[count] = $2
    if ($2 ~ /^j[a-z]+ +[0-9a-f]+ /) { split($2, word, / +/); jump[count] = word[2] }
  }
  END { check_function(); exit found > 0 }'
echo "No inner loop keeps a running value on the stack."

// Any bytes as an IDX file, plain or gzipped: refused with a FileError, or read into an array that holds what
// its sizes say and is read again from a file made of it.

#include "adjoint/data/idx.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tests/fuzz/require.h"
#include "tests/support/files.h"

using namespace adjoint;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kMostBytes = 1 << 20;
  const std::span input(data, size);
  try {
    const IdxFile file = read_idx(input, "input", {.max_bytes = kMostBytes});
    const auto count =
        std::accumulate(file.sizes.begin(), file.sizes.end(), std::int64_t{1}, std::multiplies<>());
    require(std::cmp_equal(file.values.size(), count), "the array holds what its sizes say");
    require(count <= kMostBytes, "the bound holds");

    const std::vector<std::uint32_t> sizes(file.sizes.begin(), file.sizes.end());
    const auto plain = support::idx_bytes(sizes, file.values);
    require(input.empty() || input[0] != 0 || std::ranges::equal(plain, input),
            "a plain file is its header and its values");
    const IdxFile again = read_idx(plain, "again");
    require(again.sizes == file.sizes && again.values == file.values, "what was read is read again");
  } catch (const FileError& error) {
    fuzz::require_good(error, "input: ");
  }
  return 0;
}

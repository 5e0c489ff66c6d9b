// Any bytes, gzipped in members with padding between them. Reading gives the same as for the bytes without
// gzip. Then one byte of the gzip data is changed: reading gives the same as before, or the data is refused.

#include <fuzzer/FuzzedDataProvider.h>
#include <optional>

#include "adjoint/data/idx.h"
#include "tests/fuzz/require.h"
#include "tests/support/files.h"

using namespace adjoint;
using fuzz::require;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::optional<IdxFile> read(const Bytes& bytes) {
  constexpr std::int64_t kMostBytes = 1 << 20;
  try {
    return read_idx(bytes, "input", {.max_bytes = kMostBytes});
  } catch (const FileError& error) {
    fuzz::require_good(error, "input: ");
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider choices(data, size);
  const auto where = choices.ConsumeProbability<double>();
  const auto change = choices.ConsumeIntegral<std::uint8_t>();
  Bytes plain, packed;
  do {
    const Bytes member =
        choices.ConsumeBytes<std::uint8_t>(choices.ConsumeIntegralInRange<std::size_t>(0, 1 << 12));
    const Bytes piece = support::gzip(member);
    plain.insert(plain.end(), member.begin(), member.end());
    packed.insert(packed.end(), piece.begin(), piece.end());
    if (choices.ConsumeBool())
      packed.resize(packed.size() + choices.ConsumeIntegralInRange<std::size_t>(0, 1 << 17));
  } while (choices.remaining_bytes() > 0);

  const bool is_gzip = plain.size() > 1 && plain[0] == 0x1f && plain[1] == 0x8b;
  const auto expected = is_gzip ? std::nullopt : read(plain);
  const auto found = read(packed);
  require(expected.has_value() == found.has_value(), "gzipped bytes are taken as plain ones are");
  if (!found) return 0;
  require(expected->sizes == found->sizes && expected->values == found->values,
          "gzipped bytes are read as plain ones are");

  auto& changed = packed[static_cast<std::size_t>(where * static_cast<double>(packed.size() - 1))];
  changed = static_cast<std::uint8_t>(changed ^ change);
  const auto damaged = read(packed);
  require(!damaged || (damaged->sizes == found->sizes && damaged->values == found->values),
          "gzip's checksum finds a changed byte");
  return 0;
}

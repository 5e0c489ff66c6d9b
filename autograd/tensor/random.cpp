#include "adjoint/tensor/random.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "adjoint/tensor/check.h"

namespace adjoint {
namespace {

// Figure 2 and table 2 of the paper: ten rounds. Each one multiplies two words, mixes the halves of the
// products with a key, and adds constants to the key.
std::array<std::uint32_t, 4> philox4x32(std::uint64_t counter, std::uint64_t stream, std::uint64_t seed) {
  std::array<std::uint32_t, 4> x = {
      static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
      static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * x[0],
                        product1 = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(product1 >> 32) ^ x[1] ^ key0, static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ x[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return x;
}

}  // namespace

Rng::result_type Rng::operator()() {
  if (left_ == 0) {
    numbers_ = philox4x32(block_++, stream_, seed_);
    left_ = 4;
  }
  return numbers_[4 - left_--];
}

double Rng::uniform() {
  const std::uint64_t high = (*this)();
  const std::uint64_t bits = (high << 32 | (*this)()) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

double Rng::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // uniform() may be 0, but never 1
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::int64_t Rng::below(std::int64_t bound) {
  check(bound > 0, "Rng::below: bound must be positive, got {}", bound);
  const auto range = static_cast<std::uint64_t>(bound);
  const std::uint64_t fair =
      UINT64_MAX - UINT64_MAX % range;  // Numbers from here on would favor small results.
  for (;;) {
    const std::uint64_t high = (*this)();
    const std::uint64_t bits = high << 32 | (*this)();
    if (bits < fair) return static_cast<std::int64_t>(bits % range);
  }
}

void Rng::shuffle(std::span<std::int64_t> items) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
  }
}

Rng& default_rng() {
  static thread_local Rng rng(0);
  return rng;
}

void manual_seed(std::uint64_t seed) { default_rng() = Rng(seed); }

}  // namespace adjoint

#include "adjoint/tensor/random.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "adjoint/tensor/check.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint {
namespace {

// Figure 2 and table 2 of the paper: ten rounds. Each one multiplies two words, mixes the halves of the
// products with a key, and adds constants to the key. Writes the numbers of `kBlocks` blocks, four for each
// counter from `counter` on. The compiler vectorizes the loop over blocks.
template <std::uint64_t kBlocks>
void philox4x32(std::uint64_t counter, std::uint64_t stream, std::uint64_t seed, std::uint32_t* numbers) {
  std::uint32_t x[4][kBlocks];
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    x[0][i] = static_cast<std::uint32_t>(counter + i);
    x[1][i] = static_cast<std::uint32_t>((counter + i) >> 32);
    x[2][i] = static_cast<std::uint32_t>(stream);
    x[3][i] = static_cast<std::uint32_t>(stream >> 32);
  }
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::uint64_t i = 0; i < kBlocks; ++i) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * x[0][i],
                          product1 = std::uint64_t{0xCD9E8D57} * x[2][i];
      x[0][i] = static_cast<std::uint32_t>(product1 >> 32) ^ x[1][i] ^ key0;
      x[1][i] = static_cast<std::uint32_t>(product1);
      x[2][i] = static_cast<std::uint32_t>(product0 >> 32) ^ x[3][i] ^ key1;
      x[3][i] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (std::uint64_t i = 0; i < kBlocks; ++i)
    for (std::uint64_t k = 0; k < 4; ++k) numbers[4 * i + k] = x[k][i];
}

}  // namespace

Rng::result_type Rng::operator()() {
  if (left_ == 0) {
    philox4x32<1>(block_++, stream_, seed_, numbers_.data());
    left_ = 4;
  }
  return numbers_[4 - left_--];
}

void Rng::fill(std::span<std::uint32_t> numbers) {
  std::uint32_t* next = numbers.data();
  std::uint32_t* const end = next + numbers.size();
  while (left_ != 0 && next != end) *next++ = (*this)();
  const std::int64_t blocks = (end - next) / 4, work_of_a_block = 32;
  const std::uint64_t start = block_;
  kernels::for_chunks(blocks, blocks * work_of_a_block, [=, this](std::int64_t first, std::int64_t count) {
    constexpr std::int64_t kTogether = 8;
    const std::int64_t last = first + count;
    std::int64_t block = first;
    for (; block + kTogether <= last; block += kTogether)
      philox4x32<kTogether>(start + static_cast<std::uint64_t>(block), stream_, seed_, next + 4 * block);
    for (; block < last; ++block)
      philox4x32<1>(start + static_cast<std::uint64_t>(block), stream_, seed_, next + 4 * block);
  });
  block_ += static_cast<std::uint64_t>(blocks);
  for (next += 4 * blocks; next != end; ++next) *next = (*this)();
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

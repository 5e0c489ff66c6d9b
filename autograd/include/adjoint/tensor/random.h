#pragma once
// Random numbers by Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3;
// SC 2011): number i of a stream depends only on the seed, the stream and i, and is the same on every
// machine.

#include <array>
#include <cstdint>
#include <span>

namespace adjoint {

/// A seeded stream of random numbers. It is also a standard UniformRandomBitGenerator, for functions such as
/// std::shuffle.
class Rng {
 public:
  using result_type = std::uint32_t;

  /// Different streams of one seed are as independent as different seeds.
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return UINT32_MAX; }
  /// The next 32 random bits.
  result_type operator()();
  /// The next numbers.size() of these, on several threads if they are many.
  void fill(std::span<std::uint32_t> numbers);
  /// Uniform in [0, 1), with 53 random bits.
  double uniform();
  /// Standard normal (Box and Muller, 1958).
  double normal();
  /// Uniform in [0, bound). Throws Error unless bound > 0.
  std::int64_t below(std::int64_t bound);
  /// Puts items into a random order; all orders are equally likely (Fisher and Yates).
  void shuffle(std::span<std::int64_t> items);

 private:
  std::uint64_t seed_, stream_;
  std::uint64_t block_ = 0;  // Blocks of four numbers drawn so far.
  std::array<std::uint32_t, 4> numbers_{};
  unsigned left_ = 0;  // Numbers of the current block not yet given out.
};

/// The generator that functions use when none is given. Each thread has its own, with seed 0 at the start.
/// backward_in_parts() gives each part its own.
Rng& default_rng();
/// Restarts this thread's default_rng() with a seed.
void manual_seed(std::uint64_t seed);

}  // namespace adjoint

#include "adjoint/ops/dropout.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/tensor/sample.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// Checks the arguments. Returns whether y is x.
bool is_identity(const char* op, const Tensor& x, const DropoutOptions& options) {
  ops::check_floating(op, "x", x);
  check(options.p >= 0 && options.p <= 1, "{}: p must be in [0, 1], it is {}", op, options.p);
  return !options.training || options.p == 0;
}

/// keep ? x scale : 0, by bits: a branch would be mispredicted for every other element.
template <class T>
T selected(bool keep, T x, T scale) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<T>(std::bit_cast<Bits>(x * scale) & (Bits{0} - Bits{keep}));
}

/// y = x scale where mask is true, else 0; each element of mask stands for as many elements of x, one after
/// the other.
Tensor masked(const Tensor& x, const Tensor& mask, double scale) {
  Values y(x.dtype(), x.shape());
  const std::int64_t n = mask.numel(), each = n == 0 ? 0 : x.numel() / n;
  const bool* keep = mask.values().row_major<bool>();
  visit_floating(x.dtype(), [&]<class T>() {
    const T *from = x.values().row_major<T>(), factor = static_cast<T>(scale);
    T* to = y.writable<T>();
    if (each == 1) {
      kernels::for_chunks(n, n * kernels::kElementWork, [&](std::int64_t first, std::int64_t count) {
        for (std::int64_t i = first; i < first + count; ++i) to[i] = selected(keep[i], from[i], factor);
      });
      return;
    }
    const std::int64_t chunk = kernels::parts_in_chunk(each);
    kernels::for_chunks_of(chunk, n, x.numel() * kernels::kElementWork,
                           [&](std::int64_t first, std::int64_t count) {
                             for (std::int64_t i = first; i < first + count; ++i)
                               for (std::int64_t k = i * each; k < (i + 1) * each; ++k)
                                 to[k] = selected(keep[i], from[k], factor);
                           });
  });
  return record("dropout", std::move(y), {x},
                [mask, scale](const Tensor& dy, Needs) -> Grads { return {masked(dy, mask, scale)}; });
}

/// x / (1 - p) where a choice of this shape, one for each part of x, is to keep it.
Tensor dropped(const Tensor& x, const Shape& choices, double p, Rng& rng) {
  return masked(x, bernoulli(choices, 1 - p, {.dtype = boolean}, rng), 1 / (1 - p));
}

}  // namespace

Tensor dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  if (is_identity("dropout", x, options)) return pass_through("dropout", x);
  return dropped(x, x.shape(), options.p, rng);
}

Tensor channel_dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  const bool identity = is_identity("channel_dropout", x, options);
  check_shape(x.rank() >= 2, "channel_dropout: x must be [N,C,...], it is {}", x.shape());
  if (identity) return pass_through("channel_dropout", x);
  Shape choices = x.shape();
  for (int i = 2; i < x.rank(); ++i) choices = choices.with(i, 1);
  return dropped(x, choices, options.p, rng);
}

Tensor alpha_dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  if (is_identity("alpha_dropout", x, options)) return pass_through("alpha_dropout", x);
  const double p = options.p;
  if (p == 1) return dropped(x, x.shape(), p, rng);
  constexpr double kLimit = -1.7580993408473766;
  const double a = 1 / std::sqrt((1 - p) * (1 + p * kLimit * kLimit));
  return where(bernoulli(x.shape(), 1 - p, {.dtype = boolean}, rng), x, kLimit) * a - a * p * kLimit;
}

}  // namespace adjoint

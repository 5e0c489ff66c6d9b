#pragma once
// The backward pass of a loss that is a sum over parts of a batch.

#include <cstdint>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

namespace detail {
double backward_in_parts(std::int64_t parts, Tensor (*call)(const void* loss, std::int64_t part),
                         const void* loss);
}

/// L = loss(0) + ... + loss(parts - 1), each a single number, is returned, and dL/dp added to the grad() of
/// every leaf p, as by L.backward().
///
///     const double mean = backward_in_parts(batch.parts(16), [&](std::int64_t i) {
///       const auto [image, label] = batch.part(i, 16);
///       return softmax_cross_entropy(net(image), label, {.reduction = Reduction::sum}) / batch.size();
///     });
///
/// A part goes forward and backward in one thread, several parts at once in several. On a small network that
/// is the fastest way to use them: they wait for each other once in a step, not in every op. With one thread
/// large batches gain too, since what a part computes stays in the caches.
///
/// loss is called in any order and in several threads at once. The order of all sums depends on parts alone:
/// the number of threads changes no bit. Parts may share what was computed before: every one goes through it,
/// and its graph is retained.
///
/// Each part has random numbers of its own, so that a loss may draw them (for dropout, say), and the number
/// of threads does not change them either: the call draws one 64-bit key from the caller's default_rng(), and
/// in part i default_rng() is Rng(key, i). An Rng that loss captures by reference is for the caller to guard,
/// and its order of use is not fixed.
///
/// Throws Error when parts is negative, ShapeError when a loss is not a single number, and as
/// Tensor::backward. Exceptions from loss are rethrown (the first part's). Whatever is thrown, no grad() has
/// changed.
template <class Loss>
double backward_in_parts(std::int64_t parts, const Loss& loss) {
  return detail::backward_in_parts(
      parts, [](const void* f, std::int64_t part) -> Tensor { return (*static_cast<const Loss*>(f))(part); },
      &loss);
}

}  // namespace adjoint

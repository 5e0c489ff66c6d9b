#pragma once
// The backward pass of a loss that is a sum over parts of a batch.

#include <cstdint>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

namespace detail {
double backward_in_parts(std::int64_t parts, Tensor (*call)(const void* loss, std::int64_t part),
                         const void* loss);
}

/// Returns L = loss(0) + ... + loss(parts - 1), where each loss is a single number. Adds dL/dp to the grad()
/// of every leaf p, as L.backward() does.
///
///     const double mean = backward_in_parts(batch.parts(16), [&](std::int64_t i) {
///       const auto [image, label] = batch.part(i, 16);
///       return softmax_cross_entropy(net(image), label, {.reduction = Reduction::sum}) / batch.size();
///     });
///
/// Each part goes forward and backward in one thread. Several threads work on several parts at the same time.
/// On a small network this is the fastest way to use threads: they wait for each other once in a step, not in
/// every op. With one thread, large batches gain, too, because the values of a part stay in the caches.
///
/// loss is called in any order and in several threads at once. The order of all sums depends only on the
/// number of parts, so the number of threads does not change a single bit. Parts may share tensors that were
/// computed before the call: the backward pass of each part goes through their graph, which is retained.
///
/// Each part has its own random numbers, which loss may draw (for dropout, for example). They do not depend
/// on the number of threads either: the call draws one 64-bit key from the caller's default_rng(), and in
/// part i default_rng() is Rng(key, i). If loss captures an Rng by reference, the caller must guard it with a
/// lock, and the order in which parts use it is not fixed.
///
/// Throws Error when parts is negative, ShapeError when a loss is not a single number, and as
/// Tensor::backward. Exceptions from loss are rethrown (the first part's). If anything is thrown, no grad()
/// has changed.
template <class Loss>
double backward_in_parts(std::int64_t parts, const Loss& loss) {
  return detail::backward_in_parts(
      parts, [](const void* f, std::int64_t part) -> Tensor { return (*static_cast<const Loss*>(f))(part); },
      &loss);
}

}  // namespace adjoint

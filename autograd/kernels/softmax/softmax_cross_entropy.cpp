// The cross-entropy loss of softmax.
#include <algorithm>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/kernels/softmax/softmax.h"
#include "autograd/kernels/softmax/softmax_loss.h"
#include "autograd/kernels/threads/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/softmax/softmax_cross_entropy.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/arithmetic-inl.h"

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

/// How logits [N,K] lie in memory. In both layouts, a value that belongs to image n has index n in
/// [outer,inner].
template <class T>
struct Logits {
  std::int64_t outer, axis, inner;

  static Logits in(Layout layout, std::int64_t batch, std::int64_t classes) {
    if (layout == Layout::row_major) return {batch, classes, 1};
    return {interleaved_blocks<T>(batch), classes, kInterleaved<T>};
  }

  std::int64_t images() const { return outer * inner; }  // With spare lanes.
  std::int64_t index(std::int64_t n, std::int64_t k) const {
    return (n / inner * axis + k) * inner + n % inner;
  }
  Shape shape() const { return {outer, axis, inner}; }
  Shape per_image() const { return {outer, 1, inner}; }
};

template <class T>
void cross_entropy(const Logits<T>& all, std::int64_t batch, const T* logits, const std::int64_t* labels,
                   T* loss, T* probabilities) {
  const Scratch<T> largest(all.images()), log_sum(all.images());
  softmax_and_sums(all.outer, all.axis, all.inner, logits, probabilities, largest.get(), log_sum.get());
  for (std::int64_t n = 0; n < batch; ++n) {
    loss[n] = labels[n] < 0 ? 0 : largest.get()[n] - logits[all.index(n, labels[n])] + log_sum.get()[n];
  }
}

template <class T>
void cross_entropy(const Logits<T>& all, std::int64_t batch, const T* logits, const T* targets, T* loss,
                   T* probabilities) {
  const Scratch<T> largest(all.images()), log_sum(all.images()), losses(all.images());
  softmax_and_sums(all.outer, all.axis, all.inner, logits, probabilities, largest.get(), log_sum.get());
  target_loss<T>(all.outer, all.axis, all.inner, logits, targets, largest.get(), log_sum.get(), losses.get());
  std::copy_n(losses.get(), batch, loss);
}

/// weights[n] = scale dloss[n]; 0 in spare lanes.
template <class T>
void fill_weights(const Logits<T>& all, std::int64_t batch, T scale, const T* dloss, T* weights) {
  for (std::int64_t n = 0; n < batch; ++n) weights[n] = dloss == nullptr ? scale : scale * dloss[n];
  std::fill(weights + batch, weights + all.images(), T(0));
}

template <class T>
void cross_entropy_grad(const Logits<T>& all, std::int64_t batch, T scale, const T* dloss,
                        const T* probabilities, const std::int64_t* labels, T* dlogits) {
  const Scratch<T> weights(all.images()), hits(batch);
  fill_weights(all, batch, scale, dloss, weights.get());
  for (std::int64_t n = 0; n < batch; ++n) {  // Before dlogits, perhaps the same array, is written.
    if (labels[n] >= 0) hits.get()[n] = (probabilities[all.index(n, labels[n])] - 1) * weights.get()[n];
  }
  broadcast<Mul, T>(all.shape(), probabilities, all.per_image(), weights.get(), all.shape(), dlogits);
  for (std::int64_t n = 0; n < batch; ++n) {
    if (labels[n] >= 0) {
      dlogits[all.index(n, labels[n])] = hits.get()[n];
    } else {
      for (std::int64_t k = 0; k < all.axis; ++k) dlogits[all.index(n, k)] = 0;
    }
  }
}

template <class T>
void cross_entropy_grad(const Logits<T>& all, std::int64_t batch, T scale, const T* dloss,
                        const T* probabilities, const T* targets, T* dlogits) {
  const std::int64_t count = all.shape().numel();
  const Scratch<T> weights(all.images()), totals(all.images()), weighted_targets(count);
  fill_weights(all, batch, scale, dloss, weights.get());
  const Shape shape = all.shape(), each = all.per_image();
  sum_to(shape, targets, each, totals.get());
  zip<Mul, T>(all.images(), totals.get(), weights.get(), totals.get());
  broadcast<Mul, T>(shape, targets, each, weights.get(), shape, weighted_targets.get());
  broadcast<Mul, T>(shape, probabilities, each, totals.get(), shape, dlogits);
  zip<Sub, T>(count, dlogits, weighted_targets.get(), dlogits);
}

}  // namespace

template <class T>
void cross_entropy(Layout layout, std::int64_t batch, std::int64_t classes, const T* logits,
                   const std::int64_t* labels, T* loss, T* probabilities) {
  cross_entropy(Logits<T>::in(layout, batch, classes), batch, logits, labels, loss, probabilities);
}

template <class T>
void cross_entropy(Layout layout, std::int64_t batch, std::int64_t classes, const T* logits, const T* targets,
                   T* loss, T* probabilities) {
  cross_entropy(Logits<T>::in(layout, batch, classes), batch, logits, targets, loss, probabilities);
}

template <class T>
void cross_entropy_grad(Layout layout, std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                        const T* probabilities, const std::int64_t* labels, T* dlogits) {
  cross_entropy_grad(Logits<T>::in(layout, batch, classes), batch, scale, dloss, probabilities, labels,
                     dlogits);
}

template <class T>
void cross_entropy_grad(Layout layout, std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                        const T* probabilities, const T* targets, T* dlogits) {
  cross_entropy_grad(Logits<T>::in(layout, batch, classes), batch, scale, dloss, probabilities, targets,
                     dlogits);
}

#define ADJOINT_INSTANTIATE(T, TARGET)                                                                       \
  template void cross_entropy(Layout, std::int64_t, std::int64_t, const T*, const TARGET*, T*, T*);          \
  template void cross_entropy_grad(Layout, std::int64_t, std::int64_t, T, const T*, const T*, const TARGET*, \
                                   T*)
ADJOINT_INSTANTIATE(float, float);
ADJOINT_INSTANTIATE(float, std::int64_t);
ADJOINT_INSTANTIATE(double, double);
ADJOINT_INSTANTIATE(double, std::int64_t);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif

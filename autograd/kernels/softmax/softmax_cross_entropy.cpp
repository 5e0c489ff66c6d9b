// The cross-entropy loss of softmax.
#include <algorithm>

#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/layout/lanes.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/kernels/softmax/softmax.h"
#include "autograd/kernels/softmax/softmax_loss.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// How logits [N,K] lie in memory. In both layouts what belongs to image n alone has index n in
/// [outer,inner].
template <class T>
struct Logits {
  std::int64_t outer, axis, inner;

  static Logits rows(std::int64_t batch, std::int64_t classes) { return {batch, classes, 1}; }
  static Logits lanes(std::int64_t batch, std::int64_t classes) {
    return {lane_blocks<T>(batch), classes, kLanes<T>};
  }

  std::int64_t images() const { return outer * inner; }  // With spare lanes.
  std::int64_t index(std::int64_t n, std::int64_t k) const {
    return (n / inner * axis + k) * inner + n % inner;
  }
  Shape shape() const { return {outer, axis, inner}; }
  Shape per_image() const { return {outer, 1, inner}; }
};

template <class T>
void cross_entropy(const Logits<T>& layout, std::int64_t batch, const T* logits, const std::int64_t* labels,
                   T* loss, T* probabilities) {
  const Scratch<T> largest(layout.images()), log_sum(layout.images());
  softmax_and_sums(layout.outer, layout.axis, layout.inner, logits, probabilities, largest.get(),
                   log_sum.get());
  for (std::int64_t n = 0; n < batch; ++n) {
    loss[n] = labels[n] < 0 ? 0 : largest.get()[n] - logits[layout.index(n, labels[n])] + log_sum.get()[n];
  }
}

template <class T>
void cross_entropy(const Logits<T>& layout, std::int64_t batch, const T* logits, const T* targets, T* loss,
                   T* probabilities) {
  const Scratch<T> largest(layout.images()), log_sum(layout.images()), losses(layout.images());
  softmax_and_sums(layout.outer, layout.axis, layout.inner, logits, probabilities, largest.get(),
                   log_sum.get());
  target_loss<T>(layout.outer, layout.axis, layout.inner, logits, targets, largest.get(), log_sum.get(),
                 losses.get());
  std::copy_n(losses.get(), batch, loss);
}

/// weights[n] = scale dloss[n]; 0 in spare lanes.
template <class T>
void fill_weights(const Logits<T>& layout, std::int64_t batch, T scale, const T* dloss, T* weights) {
  for (std::int64_t n = 0; n < batch; ++n) weights[n] = dloss == nullptr ? scale : scale * dloss[n];
  std::fill(weights + batch, weights + layout.images(), T(0));
}

template <class T>
void cross_entropy_grad(const Logits<T>& layout, std::int64_t batch, T scale, const T* dloss,
                        const T* probabilities, const std::int64_t* labels, T* dlogits) {
  const Scratch<T> weights(layout.images()), hits(batch);
  fill_weights(layout, batch, scale, dloss, weights.get());
  for (std::int64_t n = 0; n < batch; ++n) {  // Before dlogits, perhaps the same array, is written.
    if (labels[n] >= 0) hits.get()[n] = (probabilities[layout.index(n, labels[n])] - 1) * weights.get()[n];
  }
  mul(layout.shape(), probabilities, layout.per_image(), static_cast<const T*>(weights.get()), layout.shape(),
      dlogits);
  for (std::int64_t n = 0; n < batch; ++n) {
    if (labels[n] >= 0) {
      dlogits[layout.index(n, labels[n])] = hits.get()[n];
    } else {
      for (std::int64_t k = 0; k < layout.axis; ++k) dlogits[layout.index(n, k)] = 0;
    }
  }
}

template <class T>
void cross_entropy_grad(const Logits<T>& layout, std::int64_t batch, T scale, const T* dloss,
                        const T* probabilities, const T* targets, T* dlogits) {
  const std::int64_t count = layout.shape().numel();
  const Scratch<T> weights(layout.images()), totals(layout.images()), weighted_targets(count);
  fill_weights(layout, batch, scale, dloss, weights.get());
  const Shape all = layout.shape(), each = layout.per_image();
  sum_to(all, targets, each, totals.get());
  mul<T>(layout.images(), totals.get(), weights.get(), totals.get());
  mul<T>(all, targets, each, weights.get(), all, weighted_targets.get());
  mul<T>(all, probabilities, each, totals.get(), all, dlogits);
  sub<T>(count, dlogits, weighted_targets.get(), dlogits);
}

}  // namespace

template <class T>
void cross_entropy_lanes(std::int64_t batch, std::int64_t classes, const T* logits,
                         const std::int64_t* labels, T* loss, T* probabilities) {
  cross_entropy(Logits<T>::lanes(batch, classes), batch, logits, labels, loss, probabilities);
}

template <class T>
void cross_entropy_lanes(std::int64_t batch, std::int64_t classes, const T* logits, const T* targets, T* loss,
                         T* probabilities) {
  cross_entropy(Logits<T>::lanes(batch, classes), batch, logits, targets, loss, probabilities);
}

template <class T>
void cross_entropy_grad_lanes(std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                              const T* probabilities, const std::int64_t* labels, T* dlogits) {
  cross_entropy_grad(Logits<T>::lanes(batch, classes), batch, scale, dloss, probabilities, labels, dlogits);
}

template <class T>
void cross_entropy_grad_lanes(std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                              const T* probabilities, const T* targets, T* dlogits) {
  cross_entropy_grad(Logits<T>::lanes(batch, classes), batch, scale, dloss, probabilities, targets, dlogits);
}

template <class T>
void cross_entropy_rows(std::int64_t batch, std::int64_t classes, const T* logits, const std::int64_t* labels,
                        T* loss, T* probabilities) {
  cross_entropy(Logits<T>::rows(batch, classes), batch, logits, labels, loss, probabilities);
}

template <class T>
void cross_entropy_rows(std::int64_t batch, std::int64_t classes, const T* logits, const T* targets, T* loss,
                        T* probabilities) {
  cross_entropy(Logits<T>::rows(batch, classes), batch, logits, targets, loss, probabilities);
}

template <class T>
void cross_entropy_grad_rows(std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                             const T* probabilities, const std::int64_t* labels, T* dlogits) {
  cross_entropy_grad(Logits<T>::rows(batch, classes), batch, scale, dloss, probabilities, labels, dlogits);
}

template <class T>
void cross_entropy_grad_rows(std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                             const T* probabilities, const T* targets, T* dlogits) {
  cross_entropy_grad(Logits<T>::rows(batch, classes), batch, scale, dloss, probabilities, targets, dlogits);
}

#define ADJOINT_INSTANTIATE(LAYOUT, T, TARGET)                                                       \
  template void cross_entropy_##LAYOUT(std::int64_t, std::int64_t, const T*, const TARGET*, T*, T*); \
  template void cross_entropy_grad_##LAYOUT(std::int64_t, std::int64_t, T, const T*, const T*,       \
                                            const TARGET*, T*)
ADJOINT_INSTANTIATE(rows, float, float);
ADJOINT_INSTANTIATE(rows, float, std::int64_t);
ADJOINT_INSTANTIATE(rows, double, double);
ADJOINT_INSTANTIATE(rows, double, std::int64_t);
ADJOINT_INSTANTIATE(lanes, float, float);
ADJOINT_INSTANTIATE(lanes, float, std::int64_t);
ADJOINT_INSTANTIATE(lanes, double, double);
ADJOINT_INSTANTIATE(lanes, double, std::int64_t);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels

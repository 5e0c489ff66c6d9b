#include "autograd/kernels/optim/optimizer_step.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/optim/optimizer_step.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/vectors-inl.h"
#include "autograd/kernels/threads/chunks.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// A step of stochastic gradient descent for one vector of parameters.
template <class T>
class SgdOfVector {
 public:
  HWY_INLINE explicit SgdOfVector(const SgdStep& step)
      : rate_(hn::Set(Tag<T>(), static_cast<T>(step.learning_rate))),
        momentum_(hn::Set(Tag<T>(), static_cast<T>(step.momentum))),
        decay_(hn::Set(Tag<T>(), static_cast<T>(step.weight_decay))),
        moving_(step.momentum != 0) {}

  template <class Lanes>
  HWY_INLINE void operator()(const Lanes& lanes, Vector<T> grad, std::int64_t i, T* velocity,
                             T* param) const {
    const auto p = lanes.load(param + i);
    auto g = hn::MulAdd(decay_, p, grad);
    if (moving_) {
      g = hn::MulAdd(momentum_, lanes.load(velocity + i), g);
      lanes.store(g, velocity + i);
    }
    lanes.store(hn::NegMulAdd(rate_, g, p), param + i);
  }

 private:
  Vector<T> rate_, momentum_, decay_;
  bool moving_;
};

template <class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param) {
  const SgdOfVector<T> of_vector(step);
  for_vectors<T>(n, [&](std::int64_t i, auto lanes)
                        HWY_ATTR { of_vector(lanes, lanes.load(grad + i), i, velocity, param); });
}

/// The rows of param lie one after the other, and vectors run on from one row to the next: only the last
/// vector of all may be incomplete, since stores of incomplete vectors take long. A vector across the end of
/// a row holds multiples of the end of b by a[r] and multiples of the beginning of b by a[r + 1].
template <class T>
void sgd_step_outer(std::int64_t rows, std::int64_t columns, const SgdStep& step, const T* a, const T* b,
                    T* velocity, T* param) {
  const Tag<T> d;
  const SgdOfVector<T> of_vector(step);
  const bool runs_on = columns >= kVectorSize<T>;
  T end_and_beginning[2 * kVectorSize<T>];  // A vector of the end of b, and one of its beginning.
  if (runs_on) {
    std::copy_n(b + columns - kVectorSize<T>, kVectorSize<T>, end_and_beginning);
    std::copy_n(b, kVectorSize<T>, end_and_beginning + kVectorSize<T>);
  }
  std::int64_t done_in_next_row = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto factor = hn::Set(d, a[r]);
    const std::int64_t row = r * columns;
    std::int64_t j = done_in_next_row;
    for (; j + kVectorSize<T> <= columns; j += kVectorSize<T>)
      of_vector(AllLanes<T>(), hn::Mul(factor, hn::LoadU(d, b + j)), row + j, velocity, param);
    done_in_next_row = 0;
    if (j == columns) continue;
    const FirstLanes<T> in_this_row(columns - j);
    if (runs_on && r + 1 < rows) {
      const auto factors = hn::IfThenElse(in_this_row.mask(), factor, hn::Set(d, a[r + 1]));
      const auto products =
          hn::Mul(factors, hn::LoadU(d, end_and_beginning + kVectorSize<T> - (columns - j)));
      of_vector(AllLanes<T>(), products, row + j, velocity, param);
      done_in_next_row = kVectorSize<T> - (columns - j);
    } else {
      of_vector(in_this_row, hn::Mul(factor, in_this_row.load(b + j)), row + j, velocity, param);
    }
  }
}

template <class T>
void adam_step(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param) {
  const Tag<T> d;
  const auto decay = hn::Set(d, static_cast<T>(step.weight_decay));
  const auto beta1 = hn::Set(d, static_cast<T>(step.beta1)),
             rest1 = hn::Set(d, static_cast<T>(1 - step.beta1));
  const auto beta2 = hn::Set(d, static_cast<T>(step.beta2)),
             rest2 = hn::Set(d, static_cast<T>(1 - step.beta2));
  const auto rate = hn::Set(d, static_cast<T>(step.learning_rate / step.bias_correction1));
  const auto unbias2 = hn::Set(d, static_cast<T>(1 / step.bias_correction2));
  const auto epsilon = hn::Set(d, static_cast<T>(step.epsilon));
  for_vectors<T>(n, [&](std::int64_t i, auto lanes) HWY_ATTR {
    const auto p = lanes.load(param + i);
    const auto g = hn::MulAdd(decay, p, lanes.load(grad + i));
    const auto mean = hn::MulAdd(beta1, lanes.load(m + i), hn::Mul(rest1, g));
    const auto square = hn::MulAdd(beta2, lanes.load(v + i), hn::Mul(hn::Mul(rest2, g), g));
    lanes.store(mean, m + i);
    lanes.store(square, v + i);
    const auto root = hn::Add(hn::Sqrt(hn::Mul(square, unbias2)), epsilon);
    lanes.store(hn::Sub(p, hn::Div(hn::Mul(rate, mean), root)), param + i);
  });
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Steps;

template <class T>
struct Steps<HWY_TARGET, T> {
  static constexpr auto sgd_step = HWY_NAMESPACE::sgd_step<T>;
  static constexpr auto sgd_step_outer = HWY_NAMESPACE::sgd_step_outer<T>;
  static constexpr auto adam_step = HWY_NAMESPACE::adam_step<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
// An update counts as one multiply-add for each parameter. Small updates thus stay in the thread that
// computed the gradient.

template <class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param) {
  for_chunks(n, n, [&](std::int64_t i, std::int64_t count) {
    best<Steps, T>([&](auto k) {
      k.sgd_step(count, step, grad + i, step.momentum == 0 ? nullptr : velocity + i, param + i);
    });
  });
}

template <class T>
void sgd_step_outer(std::int64_t rows, std::int64_t columns, const SgdStep& step, const T* a, const T* b,
                    T* velocity, T* param) {
  if (rows * columns == 0) return;
  const std::int64_t chunks = std::min(rows, rows * columns / kChunkElements + 1);
  parallel_for(chunks, rows * columns, [&](std::int64_t chunk) {
    const Piece some = piece(rows, chunks, chunk);
    const std::int64_t at = some.begin * columns;
    best<Steps, T>([&](auto k) {
      k.sgd_step_outer(some.size(), columns, step, a + some.begin, b,
                       step.momentum == 0 ? nullptr : velocity + at, param + at);
    });
  });
}

template <class T>
void adam_step(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param) {
  for_chunks(n, n, [&](std::int64_t i, std::int64_t count) {
    best<Steps, T>([&](auto k) { k.adam_step(count, step, grad + i, m + i, v + i, param + i); });
  });
}

#define ADJOINT_INSTANTIATE(T)                                                                          \
  template void sgd_step(std::int64_t, const SgdStep&, const T*, T*, T*);                               \
  template void sgd_step_outer(std::int64_t, std::int64_t, const SgdStep&, const T*, const T*, T*, T*); \
  template void adam_step(std::int64_t, const AdamStep&, const T*, T*, T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif

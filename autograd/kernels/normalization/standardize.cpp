#include "autograd/kernels/normalization/standardize.h"

#include <algorithm>
#include <cmath>

#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

/// Two sums over one group.
struct Sums {
  double first = 0, second = 0;
};

constexpr std::int64_t kLanes = 16;
/// Elements that are added up in T. Longer sums are added up in double, so that they lose no digits.
constexpr std::int64_t kBlock = 32 * kLanes;

/// Adds the pairs that term(i) stores, for i in [0, n).
template <class T, class Term>
void add_row(std::int64_t n, const Term& term, Sums& sums) {
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(n, begin + kBlock);
    T first[kLanes] = {}, second[kLanes] = {};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) term(i + lane, first[lane], second[lane]);
    }
    for (std::int64_t lane = 0; i < end; ++i, ++lane) term(i, first[lane], second[lane]);
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      sums.first += static_cast<double>(first[lane]);
      sums.second += static_cast<double>(second[lane]);
    }
  }
}

/// Calls body(group, its first element) for each group.
template <class Body>
void for_each_group(const Groups& g, const Body& body) {
  const std::int64_t passes = 3, work = g.groups * g.size() * kElementWork * passes;
  for_chunks_of(parts_in_chunk(g.size()), g.groups, work, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t group = first; group < first + count; ++group) body(group, group * g.inner);
  });
}

/// The two sums over one group of the pairs that term(i, first, second) adds for element i.
template <class T, class Term>
Sums sums_of(const Groups& g, std::int64_t start, const Term& term) {
  Sums sums;
  for (std::int64_t row = 0; row < g.outer; ++row) {
    const std::int64_t offset = start + row * g.groups * g.inner;
    add_row<T>(
        g.inner, [&](std::int64_t i, T& first, T& second) { term(offset + i, first, second); }, sums);
  }
  return sums;
}

template <class Each>
void for_elements(const Groups& g, std::int64_t start, const Each& each) {
  for (std::int64_t row = 0; row < g.outer; ++row) {
    const std::int64_t offset = start + row * g.groups * g.inner;
    for (std::int64_t i = offset; i < offset + g.inner; ++i) each(i);
  }
}

}  // namespace

template <class T>
void standardize(const Groups& g, double eps, const T* x, T* y, double* mean, double* variance) {
  const auto n = static_cast<double>(g.size());
  for_each_group(g, [&](std::int64_t group, std::int64_t start) {
    const Sums total = sums_of<T>(g, start, [x](std::int64_t i, T& first, T&) { first += x[i]; });
    const T about = static_cast<T>(total.first / n);
    // The mean was rounded: what is left of it shows in the sum of the differences.
    const Sums rest = sums_of<T>(g, start, [x, about](std::int64_t i, T& first, T& second) {
      const T d = x[i] - about;
      first += d;
      second += d * d;
    });
    const double left = rest.first / n;
    mean[group] = static_cast<double>(about) + left;
    const double spread = rest.second / n - left * left;
    variance[group] = spread < 0 ? 0 : spread;  // NaN stays.
    const T shift = static_cast<T>(left), scale = static_cast<T>(1 / std::sqrt(variance[group] + eps));
    for_elements(g, start, [=](std::int64_t i) { y[i] = (x[i] - about - shift) * scale; });
  });
}

template <class T>
void standardize_grad(const Groups& g, double eps, const double* variance, const T* dy, const T* y, T* dx) {
  const auto n = static_cast<double>(g.size());
  for_each_group(g, [&](std::int64_t group, std::int64_t start) {
    const Sums sums = sums_of<T>(g, start, [dy, y](std::int64_t i, T& first, T& second) {
      first += dy[i];
      second += dy[i] * y[i];
    });
    const T mean = static_cast<T>(sums.first / n), slope = static_cast<T>(sums.second / n);
    const T scale = static_cast<T>(1 / std::sqrt(variance[group] + eps));
    for_elements(g, start, [=](std::int64_t i) { dx[i] = (dy[i] - mean - y[i] * slope) * scale; });
  });
}

#define ADJOINT_INSTANTIATE(T)                                                      \
  template void standardize(const Groups&, double, const T*, T*, double*, double*); \
  template void standardize_grad(const Groups&, double, const double*, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels

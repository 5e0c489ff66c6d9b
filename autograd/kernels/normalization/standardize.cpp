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

/// Groups whose elements are a column each are worked on side by side, so that rows are read as they lie.
constexpr std::int64_t kColumns = 32;

/// Calls body(first column, columns) for at most kColumns columns at a time.
template <class Body>
void for_column_blocks(const Groups& g, const Body& body) {
  for_chunks_of(kColumns, g.groups, 3 * g.groups * g.outer * kElementWork, body);
}

/// Calls each(i, column) for element i of the array in each of these columns.
template <class Each>
void for_columns(const Groups& g, std::int64_t first, std::int64_t columns, const Each& each) {
  for (std::int64_t row = 0; row < g.outer; ++row) {
    const std::int64_t start = row * g.groups + first;
    for (std::int64_t column = 0; column < columns; ++column) each(start + column, column);
  }
}

/// Mean and variance of a group from the mean, rounded, and the sums of differences to it.
struct Moments {
  double mean, variance;
};

template <class T>
Moments moments_of(T about, double n, const Sums& rest) {
  // The mean was rounded: what is left of it shows in the sum of the differences.
  const double left = rest.first / n;
  const double spread = rest.second / n - left * left;
  return {static_cast<double>(about) + left, spread < 0 ? 0 : spread};  // NaN stays.
}

template <class T>
void standardize_columns(const Groups& g, double eps, const T* x, T* y, double* mean, double* variance) {
  const auto n = static_cast<double>(g.outer);
  for_column_blocks(g, [&](std::int64_t begin, std::int64_t columns) {
    double total[kColumns] = {}, first[kColumns] = {}, second[kColumns] = {};
    T about[kColumns], shift[kColumns], scale[kColumns];
    for_columns(g, begin, columns,
                [&](std::int64_t i, std::int64_t c) { total[c] += static_cast<double>(x[i]); });
    for (std::int64_t c = 0; c < columns; ++c) about[c] = static_cast<T>(total[c] / n);
    for_columns(g, begin, columns, [&](std::int64_t i, std::int64_t c) {
      const double d = static_cast<double>(x[i] - about[c]);
      first[c] += d;
      second[c] += d * d;
    });
    for (std::int64_t c = 0; c < columns; ++c) {
      const Moments found = moments_of(about[c], n, {first[c], second[c]});
      mean[begin + c] = found.mean;
      variance[begin + c] = found.variance;
      shift[c] = static_cast<T>(first[c] / n);
      scale[c] = static_cast<T>(1 / std::sqrt(found.variance + eps));
    }
    for_columns(g, begin, columns,
                [&](std::int64_t i, std::int64_t c) { y[i] = (x[i] - about[c] - shift[c]) * scale[c]; });
  });
}

template <class T>
void standardize_columns_grad(const Groups& g, double eps, const double* variance, const T* dy, const T* y,
                              T* dx) {
  const auto n = static_cast<double>(g.outer);
  for_column_blocks(g, [&](std::int64_t begin, std::int64_t columns) {
    double first[kColumns] = {}, second[kColumns] = {};
    T mean[kColumns], slope[kColumns], scale[kColumns];
    for_columns(g, begin, columns, [&](std::int64_t i, std::int64_t c) {
      first[c] += static_cast<double>(dy[i]);
      second[c] += static_cast<double>(dy[i]) * static_cast<double>(y[i]);
    });
    for (std::int64_t c = 0; c < columns; ++c) {
      mean[c] = static_cast<T>(first[c] / n);
      slope[c] = static_cast<T>(second[c] / n);
      scale[c] = static_cast<T>(1 / std::sqrt(variance[begin + c] + eps));
    }
    for_columns(g, begin, columns, [&](std::int64_t i, std::int64_t c) {
      dx[i] = (dy[i] - mean[c] - y[i] * slope[c]) * scale[c];
    });
  });
}

}  // namespace

template <class T>
void standardize(const Groups& g, double eps, const T* x, T* y, double* mean, double* variance) {
  if (g.inner == 1 && g.outer > 1) return standardize_columns(g, eps, x, y, mean, variance);
  const auto n = static_cast<double>(g.size());
  for_each_group(g, [&](std::int64_t group, std::int64_t start) {
    const Sums total = sums_of<T>(g, start, [x](std::int64_t i, T& first, T&) { first += x[i]; });
    const T about = static_cast<T>(total.first / n);
    const Sums rest = sums_of<T>(g, start, [x, about](std::int64_t i, T& first, T& second) {
      const T d = x[i] - about;
      first += d;
      second += d * d;
    });
    const Moments found = moments_of(about, n, rest);
    mean[group] = found.mean;
    variance[group] = found.variance;
    const T shift = static_cast<T>(rest.first / n),
            scale = static_cast<T>(1 / std::sqrt(variance[group] + eps));
    for_elements(g, start, [=](std::int64_t i) { y[i] = (x[i] - about - shift) * scale; });
  });
}

template <class T>
void standardize_grad(const Groups& g, double eps, const double* variance, const T* dy, const T* y, T* dx) {
  if (g.inner == 1 && g.outer > 1) return standardize_columns_grad(g, eps, variance, dy, y, dx);
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

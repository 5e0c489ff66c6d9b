#include "tests/bench/peak.h"

#include <cstring>

#include "autograd/kernels/threads/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/peak.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bench::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Enough sums to hide the latency of an addition, few enough for 16 registers.
constexpr int kSums = 12;

/// Returns the number of operations. The sums go to `result`, so that the compiler cannot remove them.
template <class T>
double multiply_add(std::int64_t rounds, T* result) {
  const hn::ScalableTag<T> d;
  const auto x = hn::Set(d, T{0.5}), y = hn::Set(d, result[0]);
  hn::Vec<decltype(d)> sums[kSums];
  for (auto& sum : sums) sum = y;
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = hn::MulAdd(sum, x, y);
  }
  for (const auto& sum : sums) result[0] += hn::GetLane(sum);
  return 2.0 * kSums * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

double multiply_add_float(std::int64_t rounds, float* result) { return multiply_add(rounds, result); }
double multiply_add_double(std::int64_t rounds, double* result) { return multiply_add(rounds, result); }

}  // namespace
}  // namespace bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bench {
namespace {

HWY_EXPORT(multiply_add_float);
HWY_EXPORT(multiply_add_double);

double chosen(std::int64_t rounds, float* result) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_float)(rounds, result);
}
double chosen(std::int64_t rounds, double* result) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_double)(rounds, result);
}

/// Calls body(part) once for each thread, each in its own thread.
template <class Body>
void in_parts(int threads, const Body& body) {
  constexpr std::int64_t kWorthAllThreads = std::int64_t{1} << 40;
  adjoint::kernels::parallel_for(threads, kWorthAllThreads, body);
}

}  // namespace

template <class T>
double multiply_add(int threads, std::int64_t rounds) {
  double operations = 0;
  in_parts(threads, [&](std::int64_t part) {
    T result = 1;
    const double made = chosen(rounds, &result);
    if (part == 0) operations = made * threads;
  });
  return operations;
}

template double multiply_add<float>(int, std::int64_t);
template double multiply_add<double>(int, std::int64_t);

void copy(int threads, const char* from, char* to, std::size_t bytes) {
  const std::size_t part_bytes = bytes / static_cast<std::size_t>(threads);
  in_parts(threads, [&](std::int64_t part) {
    const std::size_t start = static_cast<std::size_t>(part) * part_bytes;
    std::memcpy(to + start, from + start, part_bytes);
  });
}

}  // namespace bench
#endif

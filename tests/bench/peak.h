#pragma once
// What the machine can do at best, to hold the kernels' speed against.

#include <cstddef>
#include <cstdint>

namespace bench {

/// Multiplies and adds in registers, nothing else, on each of `threads` threads; returns the floating-point
/// operations made. T is float or double.
template <class T>
double multiply_add(int threads, std::int64_t rounds);

/// Copies `bytes` bytes, cut into equal parts for the threads.
void copy(int threads, const char* from, char* to, std::size_t bytes);

}  // namespace bench

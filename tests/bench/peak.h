#pragma once
// The best that the machine can do, to compare the kernels with.

#include <cstddef>
#include <cstdint>

namespace bench {

/// Multiplies and adds in registers on each of `threads` threads. Returns the number of floating-point
/// operations. T is float or double.
template <class T>
double multiply_add(int threads, std::int64_t rounds);

/// Copies `bytes` bytes, cut into equal parts for the threads.
void copy(int threads, const char* from, char* to, std::size_t bytes);

}  // namespace bench

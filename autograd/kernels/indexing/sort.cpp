#include "autograd/kernels/indexing/sort.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

template <class T>
using Key = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// A number in the order of T: NaN last, -0 equal to 0.
template <class T>
Key<T> key(T x) {
  constexpr int kSign = std::numeric_limits<Key<T>>::digits - 1;
  if constexpr (std::is_same_v<T, bool>) {
    return x ? 1 : 0;
  } else if constexpr (std::is_integral_v<T>) {
    return std::bit_cast<Key<T>>(x) ^ (Key<T>(1) << kSign);
  } else {
    if (x != x) return std::numeric_limits<Key<T>>::max();
    const auto bits = std::bit_cast<Key<T>>(x == 0 ? T(0) : x);
    return bits >> kSign != 0 ? ~bits : bits | (Key<T>(1) << kSign);
  }
}

/// Shorter lines are sorted by comparisons.
constexpr std::int64_t kRadixLine = 256;

/// A key and a position in one number. Digits are those of the key, from the last on.
struct Packed {
  std::uint64_t bits;
  Packed(std::uint32_t key, std::int64_t position)
      : bits(std::uint64_t{key} << 32 | static_cast<std::uint64_t>(position)) {}
  std::int64_t position() const { return static_cast<std::int64_t>(bits & UINT32_MAX); }
  static constexpr int kDigits = 4;
  std::size_t digit(int number) const { return bits >> (32 + 8 * number) & 255; }
  bool operator<(const Packed& other) const { return bits < other.bits; }
};

/// The same for long keys and long arrays.
struct Pair {
  std::uint64_t key;
  std::int64_t at;
  Pair(std::uint64_t k, std::int64_t position) : key(k), at(position) {}
  std::int64_t position() const { return at; }
  static constexpr int kDigits = 8;
  std::size_t digit(int number) const { return key >> (8 * number) & 255; }
  bool operator<(const Pair& other) const { return key != other.key ? key < other.key : at < other.at; }
};

/// Sorts n entries with ascending positions by one digit after the other, from the last on; `spare` is as
/// long. Returns which of the two arrays has the result.
template <class Entry>
Entry* radix_sort(std::int64_t n, Entry* entries, Entry* spare) {
  std::int64_t counts[Entry::kDigits][256] = {};
  for (std::int64_t i = 0; i < n; ++i)
    for (int d = 0; d < Entry::kDigits; ++d) ++counts[d][entries[i].digit(d)];
  for (int d = 0; d < Entry::kDigits; ++d) {
    std::int64_t* const next = counts[d];
    if (next[entries[0].digit(d)] == n) continue;  // All entries have the same digit.
    std::exclusive_scan(next, next + 256, next, std::int64_t{0});
    for (std::int64_t i = 0; i < n; ++i) spare[next[entries[i].digit(d)]++] = entries[i];
    std::swap(entries, spare);
  }
  return entries;
}

template <class Entry, class T>
void sort_lines(const SortSizes& s, bool descending, std::int64_t k, const T* x, T* values,
                std::int64_t* indices) {
  const Key<T> flip = descending ? std::numeric_limits<Key<T>>::max() : 0;
  const std::int64_t lines = s.outer * s.inner, work = lines * s.size * 4 * kElementWork;
  for_chunks_of(parts_in_chunk(s.size), lines, work, [&](std::int64_t first, std::int64_t n) {
    const bool radix = k == s.size && k >= kRadixLine;
    const Scratch<Entry> scratch(radix ? 2 * s.size : s.size);
    for (std::int64_t line = first; line < first + n; ++line) {
      const std::int64_t outer = line / s.inner, inner = line % s.inner;
      const T* from = x + outer * s.size * s.inner + inner;
      Entry* entries = scratch.get();
      for (std::int64_t i = 0; i < s.size; ++i) entries[i] = Entry(key(from[i * s.inner]) ^ flip, i);
      if (radix) {
        entries = radix_sort(k, entries, entries + k);
      } else {
        if (k < s.size) std::nth_element(entries, entries + k, entries + s.size);
        std::sort(entries, entries + k);
      }
      for (std::int64_t i = 0, to = outer * k * s.inner + inner; i < k; ++i, to += s.inner) {
        indices[to] = entries[i].position();
        values[to] = from[entries[i].position() * s.inner];
      }
    }
  });
}

}  // namespace

template <class T>
void sort(const SortSizes& s, bool descending, std::int64_t k, const T* x, T* values, std::int64_t* indices) {
  if (k == 0) return;
  if constexpr (sizeof(Key<T>) == 4) {
    if (s.size <= UINT32_MAX) return sort_lines<Packed>(s, descending, k, x, values, indices);
  }
  sort_lines<Pair>(s, descending, k, x, values, indices);
}

template <class T>
void searchsorted(std::int64_t rows, std::int64_t n, std::int64_t count, bool one_for_all, bool right,
                  const T* sorted, const T* values, std::int64_t* y) {
  const std::int64_t work =
      rows * count * static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(n)) + 1);
  for_chunks_of(kChunkElements / 16, rows * count, work * kElementWork,
                [&](std::int64_t first, std::int64_t many) {
                  for (std::int64_t i = first; i < first + many; ++i) {
                    const T* begin = one_for_all ? sorted : sorted + i / count * n;
                    const Key<T> wanted = key(values[i]);
                    const T* found = std::partition_point(begin, begin + n, [=](T element) {
                      return right ? key(element) <= wanted : key(element) < wanted;
                    });
                    y[i] = found - begin;
                  }
                });
}

#define ADJOINT_INSTANTIATE(T)                                                                         \
  template void sort(const SortSizes&, bool, std::int64_t, const T*, T*, std::int64_t*);               \
  template void searchsorted(std::int64_t, std::int64_t, std::int64_t, bool, bool, const T*, const T*, \
                             std::int64_t*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
ADJOINT_INSTANTIATE(bool);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels

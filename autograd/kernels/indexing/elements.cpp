#include "autograd/kernels/indexing/elements.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/shape/add.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

std::int64_t product(const Shape& shape, int begin, int end) {
  std::int64_t result = 1;
  for (int axis = begin; axis < end; ++axis) result *= shape[axis];
  return result;
}

/// Where the element of a row-major array of `whole` lies that has the multi-index of element `flat` of a
/// row-major array of `part`. Only the axes in [begin, end) count.
std::int64_t place_in(const Shape& whole, const Shape& part, int begin, int end, std::int64_t flat) {
  std::int64_t place = 0, step = 1;
  for (int axis = end - 1; axis >= begin; --axis) {
    place += flat % part[axis] * step;
    flat /= part[axis];
    step *= whole[axis];
  }
  return place;
}

/// Elements in lines along the axis. No two lines have a common place, so different threads may do different
/// lines.
class Lines {
 public:
  explicit Lines(const IndexedElements& e)
      : e_(e),
        outer_(product(e.shape, 0, e.axis)),
        count_(e.shape[e.axis]),
        inner_(product(e.shape, e.axis + 1, e.shape.rank())),
        step_(product(e.whole, e.axis + 1, e.whole.rank())),
        places_(step_ == inner_ ? 0 : inner_) {
    for (std::int64_t i = 0; i < inner_ && step_ != inner_; ++i)
      places_.get()[i] = place_in(e.whole, e.shape, e.axis + 1, e.shape.rank(), i);
  }

  /// Calls body(outer position, first inner position, end) for pieces that are chunks of threads.
  template <class Body>
  void for_pieces(const Body& body) const {
    const std::int64_t work = e_.shape.numel() * kElementWork;
    if (work == 0) return;
    constexpr std::int64_t kCacheLine = 16, kMostPieces = 8;
    const std::int64_t columns = round_up(divide_up(inner_, kMostPieces), kCacheLine);
    const std::int64_t pieces = divide_up(inner_, columns);
    for_chunks_of(pieces > 1 ? 1 : parts_in_chunk(count_ * inner_), outer_ * pieces, work,
                  [&](std::int64_t first, std::int64_t n) {
                    for (std::int64_t p = first; p < first + n; ++p) {
                      const std::int64_t begin = p % pieces * columns;
                      body(p / pieces, begin, std::min(begin + columns, inner_));
                    }
                  });
  }

  /// Calls body(element, its place in `whole`, or -1 if it is skipped) for the elements of a piece in their
  /// order along the axis.
  template <class Body>
  void for_elements(std::int64_t outer, std::int64_t begin, std::int64_t end, const Body& body) const {
    const std::int64_t line = place_in(e_.whole, e_.shape, 0, e_.axis, outer) * e_.whole[e_.axis];
    // In registers: the compiler must assume that the body may write to members.
    const std::int64_t *const indices = e_.index, *const places = step_ == inner_ ? nullptr : places_.get();
    const std::int64_t skip = e_.skip, step = step_, count = count_, inner = inner_;
    const auto call = [=, &body](std::int64_t k, std::int64_t i) {
      const std::int64_t element = (outer * count + k) * inner + i, index = indices[element];
      body(element, index == skip ? -1 : (line + index) * step + (places == nullptr ? i : places[i]));
    };
    if (end - begin == 1) {
      for (std::int64_t k = 0; k < count; ++k) call(k, begin);
      return;
    }
    for (std::int64_t k = 0; k < count; ++k)
      for (std::int64_t i = begin; i < end; ++i) call(k, i);
  }

  template <class Body>
  void for_all(const Body& body) const {
    for_pieces([&](std::int64_t outer, std::int64_t begin, std::int64_t end) {
      for_elements(outer, begin, end, body);
    });
  }

  std::int64_t count() const { return count_; }
  std::int64_t inner() const { return inner_; }

 private:
  const IndexedElements& e_;
  std::int64_t outer_, count_, inner_;
  std::int64_t step_;             ///< Of `whole` along the axis.
  Scratch<std::int64_t> places_;  ///< Of the inner positions in `whole`, unless they are the same there.
};

}  // namespace

void gather(std::size_t bytes, const IndexedElements& elements, const void* x, void* y) {
  const Lines lines(elements);
  with_element_size(bytes, [&](auto size) {
    constexpr auto kStep = static_cast<std::int64_t>(size());
    const auto* from = static_cast<const std::byte*>(x);
    auto* to = static_cast<std::byte*>(y);
    lines.for_all([=](std::int64_t element, std::int64_t place) {
      if (place < 0) {
        std::memset(to + element * kStep, 0, size());
      } else {
        std::memcpy(to + element * kStep, from + place * kStep, size());
      }
    });
  });
}

void scatter(std::size_t bytes, const IndexedElements& elements, const void* x, void* y) {
  const Lines lines(elements);
  with_element_size(bytes, [&](auto size) {
    constexpr auto kStep = static_cast<std::int64_t>(size());
    const auto* from = static_cast<const std::byte*>(x);
    auto* to = static_cast<std::byte*>(y);
    lines.for_all([=](std::int64_t element, std::int64_t place) {
      if (place >= 0) std::memcpy(to + place * kStep, from + element * kStep, size());
    });
  });
}

template <class T>
void scatter_add(const IndexedElements& elements, const T* x, T* y) {
  Lines(elements).for_all([=](std::int64_t element, std::int64_t place) {
    if (place >= 0) add_to(y[place], x[element]);
  });
}

void keep_last(const IndexedElements& elements, std::int64_t* y) {
  const Lines lines(elements);
  const std::int64_t size = elements.whole[elements.axis], count = lines.count(), inner = lines.inner();
  lines.for_pieces([&](std::int64_t outer, std::int64_t begin, std::int64_t end) {
    const Scratch<bool> taken(size * (end - begin));
    std::fill_n(taken.get(), size * (end - begin), false);
    for (std::int64_t k = count - 1; k >= 0; --k) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t element = (outer * count + k) * inner + i, index = elements.index[element];
        bool& is_taken = taken.get()[index * (end - begin) + i - begin];
        y[element] = is_taken ? elements.skip : index;
        is_taken = true;
      }
    }
  });
}

template void scatter_add(const IndexedElements&, const float*, float*);
template void scatter_add(const IndexedElements&, const double*, double*);
template void scatter_add(const IndexedElements&, const std::int64_t*, std::int64_t*);

}  // namespace adjoint::kernels

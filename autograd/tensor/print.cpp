#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <ostream>

#include "adjoint/tensor/tensor.h"

namespace adjoint {
namespace {

/// The number of elements that are shown at each end of a long axis, and the rule for which axes are long.
struct Elision {
  std::int64_t edge;

  bool applies_to(std::int64_t size) const { return size > 3 * edge - 1; }  // more than 8, 5 or 2
  std::int64_t shown(std::int64_t size) const { return applies_to(size) ? 2 * edge : size; }
};

/// The elision that shows the most elements, but not more than `most`; if each shows more, the strictest one.
Elision elision(const Shape& shape, std::int64_t most) {
  for (std::int64_t edge = 3; edge > 1; --edge) {
    std::int64_t elements = 1;  // At most 8^8. Empty axes count as well: their brackets are shown.
    for (const std::int64_t size : shape) elements *= std::max<std::int64_t>(1, Elision{edge}.shown(size));
    if (elements <= most) return {edge};
  }
  return {1};
}

template <class T>
void print_number(std::string& text, T value, int digits) {
  if constexpr (std::is_floating_point_v<T>) {
    text += std::isnan(value) ? "nan" : fmt::format("{:.{}g}", value, digits);  // with any sign bit
  } else {
    text += fmt::format("{}", value);
  }
}

template <class T>
struct Printer {
  std::string& text;
  const Shape& shape;
  Elision elision;
  int digits;

  /// Appends the subarray that starts at values and has the axes from `axis` on.
  void print(int axis, const T* values) const {
    if (axis == shape.rank()) return print_number(text, *values, digits);
    std::int64_t stride = 1;
    for (int inner = axis + 1; inner < shape.rank(); ++inner) stride *= shape[inner];
    const std::int64_t size = shape[axis];
    const std::string between =
        axis + 1 == shape.rank() ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
    text += '[';
    for (std::int64_t i = 0; i < size; ++i) {
      if (i > 0) text += between;
      if (elision.applies_to(size) && i == elision.edge) {
        text += "..." + between;
        i = size - elision.edge;
      }
      print(axis + 1, values + i * stride);
    }
    text += ']';
  }
};

}  // namespace

std::string to_string(const Tensor& tensor, const PrintOptions& options) {
  check(options.digits >= 1 && options.digits <= 17, "to_string: digits must be 1 to 17, it is {}",
        options.digits);
  check(options.elements >= 1, "to_string: elements must be at least 1, it is {}", options.elements);
  if (!tensor.defined()) return "undefined tensor";
  std::string text = fmt::format("tensor {} {}", tensor.shape(), tensor.dtype());
  if (!tensor.is_leaf()) {
    text += fmt::format(" from {}", tensor.op());
  } else if (tensor.requires_grad()) {
    text += fmt::format(" requires_grad{}{}", tensor.name().empty() ? "" : " ", tensor.name());
  }
  text += '\n';
  const Shape& shape = tensor.shape();
  visit(tensor.dtype(), [&]<class T>() {
    const Printer<T> printer{text, shape, elision(shape, options.elements), options.digits};
    printer.print(0, tensor.data<T>().data());
  });
  return text;
}

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) { return stream << to_string(tensor); }

}  // namespace adjoint

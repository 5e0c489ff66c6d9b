#include <fmt/core.h>
#include <ostream>

#include "autograd/tensor.h"

namespace adjoint {
namespace {

constexpr std::int64_t kWholeAxis = 8;  // Longer axes show their first and last kEdge elements.
constexpr std::int64_t kEdge = 3;

template <class T>
void print_number(std::string& text, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    text += fmt::format("{:.5g}", value);
  } else {
    text += fmt::format("{}", value);
  }
}

/// Appends the values below one element of the axes before `axis`.
template <class T>
void print_axis(std::string& text, const Shape& shape, int axis, const T* values) {
  if (axis == shape.rank()) {
    return print_number(text, *values);
  }
  std::int64_t stride = 1;
  for (int inner = axis + 1; inner < shape.rank(); ++inner) stride *= shape[inner];
  const std::int64_t size = shape[axis];
  const std::string between =
      axis + 1 == shape.rank() ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
  text += '[';
  for (std::int64_t i = 0; i < size; ++i) {
    if (i > 0) text += between;
    if (size > kWholeAxis && i == kEdge) {
      text += "..." + between;
      i = size - kEdge;
    }
    print_axis(text, shape, axis + 1, values + i * stride);
  }
  text += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined tensor";
  std::string text = fmt::format("tensor {} {}", tensor.shape(), tensor.dtype());
  if (!tensor.is_leaf()) {
    text += fmt::format(" from {}", tensor.op());
  } else if (tensor.requires_grad()) {
    text += fmt::format(" requires_grad{}{}", tensor.name().empty() ? "" : " ", tensor.name());
  }
  text += '\n';
  visit(tensor.dtype(), [&]<class T>() { print_axis(text, tensor.shape(), 0, tensor.data<T>().data()); });
  return text;
}

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) { return stream << to_string(tensor); }

}  // namespace adjoint

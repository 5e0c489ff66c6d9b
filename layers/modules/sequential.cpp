#include "adjoint/modules/sequential.h"

#include "adjoint/graph/node.h"

namespace adjoint {

Sequential& Sequential::add(std::unique_ptr<Module> module) {
  check(module != nullptr, "Sequential: module {} is null", size());
  register_child(std::to_string(size()), *module);
  modules_.push_back(std::move(module));
  return *this;
}

Tensor Sequential::forward(const Tensor& x) {
  if (modules_.empty()) return pass_through("Sequential", x);
  Tensor y = x;
  for (const auto& module : modules_) y = (*module)(y);
  return y;
}

Module& Sequential::operator[](std::size_t number) const& {
  check(number < size(), "Sequential: module {} was asked for, there are {}", number, size());
  return *modules_[number];
}

}  // namespace adjoint

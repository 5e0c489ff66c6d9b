#include "adjoint/tensor/check.h"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>

auto fmt::formatter<adjoint::DType>::format(adjoint::DType dtype, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  return std::ranges::copy(std::string_view(adjoint::name(dtype)), context.out()).out;
}

#include "autograd/check.h"

#include <fmt/core.h>

auto fmt::formatter<adjoint::DType>::format(adjoint::DType dtype, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  return fmt::format_to(context.out(), "{}", adjoint::name(dtype));
}

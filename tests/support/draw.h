#pragma once
// Numbers that RapidCheck draws. It searches for small numbers with which a test fails.

#include <cstdint>
#include <rapidcheck.h>

namespace adjoint::support {

/// A whole number from least to most.
inline std::int64_t draw(std::int64_t least, std::int64_t most) {
  return *rc::gen::inRange<std::int64_t>(least, most + 1);
}

}  // namespace adjoint::support

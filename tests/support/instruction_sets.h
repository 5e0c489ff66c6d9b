#pragma once
// Runs a test once per instruction set that this processor has and the kernels are built for. Link hwy.

#include <cstdint>
#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace adjoint {

/// Calls f() with each instruction set forced in turn, best first, then lets the processor decide again.
/// Not while another thread runs kernels.
template <class F>
void for_each_instruction_set(F f) {
  const auto force = [](std::int64_t targets) {  // 0: no restriction
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().DeInit();
  };
  struct Restore {
    decltype(force) restore;
    ~Restore() { restore(0); }
  } at_the_end{force};
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    force(target);
    f();
  }
}

}  // namespace adjoint

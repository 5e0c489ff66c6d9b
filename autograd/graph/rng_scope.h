#pragma once
// Other random numbers for a while.

#include <utility>

#include "adjoint/tensor/random.h"

namespace adjoint {

/// Replaces this thread's default_rng() for a scope.
class RngScope {
 public:
  explicit RngScope(const Rng& rng) : before_(std::exchange(default_rng(), rng)) {}
  RngScope(const RngScope&) = delete;
  RngScope& operator=(const RngScope&) = delete;
  ~RngScope() { default_rng() = before_; }

 private:
  Rng before_;
};

}  // namespace adjoint

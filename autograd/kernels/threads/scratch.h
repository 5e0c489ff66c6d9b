#pragma once
// Working memory of a kernel during one call.

#include <cstddef>
#include <cstdint>

#include "adjoint/memory/block_cache.h"

namespace adjoint::kernels {

/// `count` values at a 64-byte boundary, contents unspecified, from recycled memory. count may be 0.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        values_(bytes_ == 0 ? nullptr : static_cast<T*>(allocate_block(bytes_))) {}
  ~Scratch() {
    if (values_ != nullptr) free_block(values_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// The memory lives as long as this does: a temporary must get a name first.
  T* get() const& { return values_; }
  T* get() const&& = delete;

 private:
  std::size_t bytes_;
  T* values_;
};

}  // namespace adjoint::kernels

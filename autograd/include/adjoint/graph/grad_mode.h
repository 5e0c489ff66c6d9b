#pragma once
// Whether ops are recorded for differentiation. Each thread has its own setting.

namespace adjoint {

namespace detail {
inline constinit thread_local bool recording = true;
}

/// Whether this thread records ops: true, unless a GradMode or NoGrad sets it to false.
inline bool grad_enabled() { return detail::recording; }

/// Sets grad_enabled() for a scope and restores the old setting at its end.
class GradMode {
 public:
  explicit GradMode(bool enabled) : before_(detail::recording) { detail::recording = enabled; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;
  ~GradMode() { detail::recording = before_; }

 private:
  bool before_;
};

/// While a NoGrad exists, ops in this thread are computed but not recorded.
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

}  // namespace adjoint

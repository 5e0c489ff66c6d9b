#pragma once
// Whether ops are recorded for differentiation; a setting of each thread.

namespace adjoint {

namespace detail {
inline constinit thread_local bool recording = true;
}

/// True unless a NoGrad lives in this thread.
inline bool grad_enabled() { return detail::recording; }

/// Sets grad_enabled() for a scope and puts the old setting back at its end.
class GradMode {
 public:
  explicit GradMode(bool enabled) : before_(detail::recording) { detail::recording = enabled; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;
  ~GradMode() { detail::recording = before_; }

 private:
  bool before_;
};

/// While one lives, ops in this thread are computed but not recorded.
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

}  // namespace adjoint

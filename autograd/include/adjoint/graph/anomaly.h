#pragma once
// Finds where a backward pass first makes a NaN or an infinity. For debugging: every gradient is read again.

namespace adjoint {

namespace detail {
inline constinit thread_local bool detecting_anomalies = false;
}

/// Whether backward passes in this thread look for anomalies: false, unless an AnomalyMode sets it to true.
inline bool detects_anomalies() { return detail::detecting_anomalies; }

/// Sets detects_anomalies() for a scope and restores the old setting at its end.
class AnomalyMode {
 public:
  explicit AnomalyMode(bool enabled) : before_(detail::detecting_anomalies) {
    detail::detecting_anomalies = enabled;
  }
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;
  ~AnomalyMode() { detail::detecting_anomalies = before_; }

 private:
  bool before_;
};

/// While a DetectAnomaly exists, backward passes in this thread throw GraphError where a NaN or an infinity
/// first appears: in the gradient that they are given, in a gradient that a backward rule makes of finite
/// ones, in the sum of finite gradients, or in what a hook returns. The message names the op, the input, the
/// shapes, and the element. It does not name the line that called the op, because recording it would cost
/// time in every op. As after every failure of a pass, no grad() has changed.
///
///     const DetectAnomaly detect;
///     loss.backward();
///
/// backward_in_parts() passes the setting on to its threads.
class DetectAnomaly : public AnomalyMode {
 public:
  DetectAnomaly() : AnomalyMode(true) {}
};

}  // namespace adjoint

#pragma once
// What mnist_cnn reports of an epoch.

#include <adjoint/adjoint.h>
#include <cstdint>
#include <string>

namespace documented_cnn {

/// A loss for people: 4 digits after the point, or an exponent where it is very large, or inf or nan.
std::string loss_text(double loss);

/// A line of the metrics file.
struct Metrics {
  std::int64_t epoch;
  adjoint::TrainResult train;
  adjoint::EvaluationResult test;
  std::int64_t batch_size;
  int threads;
};

/// The line, a JSON object; "peak_rss_bytes" is the process's peak memory so far.
std::string to_json(const Metrics& metrics);

}  // namespace documented_cnn

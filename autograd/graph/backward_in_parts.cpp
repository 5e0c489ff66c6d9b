#include "adjoint/graph/backward_in_parts.h"

#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "adjoint/graph/anomaly.h"
#include "adjoint/graph/grad_mode.h"
#include "adjoint/memory/block_cache.h"
#include "adjoint/tensor/create.h"
#include "autograd/graph/engine.h"
#include "autograd/graph/rng_scope.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint {
namespace {

/// The result of a part; later, the sum of its result and those of parts after it.
struct Part {
  double loss = 0;
  engine::LeafGradients gradients;
  std::exception_ptr error;
  std::atomic<bool> neighbor_is_done = false;
};
using Parts = std::vector<Part, BlockAllocator<Part>>;

void differentiate(const Tensor& loss, std::int64_t i, Part& part) {
  check_shape(loss.numel() == 1, "backward_in_parts: a loss must be a single number, that of part {} is {}",
              i, loss.shape());
  part.loss = loss.item();
  // Parts may share a graph that was recorded before them, so no part may free it. A part's own graph dies
  // with loss.
  constexpr bool kRetainGraph = true;
  part.gradients = engine::leaf_gradients(loss, ones(loss.shape(), {.dtype = loss.dtype()}), kRetainGraph);
}

void add(Part& total, Part& part) try {
  if (!total.error) total.error = part.error;
  if (total.error) return;
  total.loss += part.loss;
  engine::add(total.gradients, std::move(part.gradients));
} catch (...) {
  total.error = std::current_exception();
}

/// Called when part i is complete: adds all pairs of sums that are complete now. The sums form a binary tree,
/// so their order depends only on the number of parts. The thread that completes a pair adds it. A thread
/// that works on one part after the other therefore keeps little more than their sum.
void join(Parts& parts, std::size_t i) {
  for (std::size_t width = 1; width < parts.size(); width *= 2) {
    const std::size_t first = i - i % (2 * width), second = first + width;  // each the sum of `width` parts
    if (second >= parts.size()) continue;
    if (!parts[second].neighbor_is_done.exchange(true, std::memory_order_acq_rel)) return;
    add(parts[first], parts[second]);
  }
}

}  // namespace

double detail::backward_in_parts(std::int64_t count, Tensor (*call)(const void*, std::int64_t),
                                 const void* loss) {
  check(count >= 0, "backward_in_parts: parts must not be negative, it is {}", count);
  if (count == 0) return 0;
  Parts parts(static_cast<std::size_t>(count));
  const std::uint64_t high = default_rng()(), key = high << 32 | default_rng()();
  constexpr std::int64_t kWorthwhile = 2 * kernels::kWorkWorthAThread;
  kernels::parallel_for(count, kWorthwhile,
                        [&, recording = grad_enabled(), detecting = detects_anomalies()](std::int64_t i) {
                          const GradMode mode(recording);
                          const AnomalyMode anomalies(detecting);
                          const RngScope rng(Rng(key, static_cast<std::uint64_t>(i)));
                          Part& part = parts[static_cast<std::size_t>(i)];
                          try {
                            differentiate(call(loss, i), i, part);
                          } catch (...) {
                            part.error = std::current_exception();
                          }
                          join(parts, static_cast<std::size_t>(i));
                        });
  if (parts[0].error) std::rethrow_exception(parts[0].error);
  engine::add_to_leaves(std::move(parts[0].gradients));
  return parts[0].loss;
}

}  // namespace adjoint

#pragma once
// Losses: numbers that say how far predictions are from their targets. Defaults and edge rules are PyTorch's,
// where nothing else is said.
//
// The floating arguments of a loss have one dtype, and "same shape" is meant literally: nothing is broadcast
// unless a loss says so. All losses throw ShapeError when shapes do not fit, and when a mean over nothing is
// asked for (PyTorch returns NaN then); DTypeError when dtypes do not fit; Error when an option or a target
// is out of its range. They are differentiable any number of times with respect to every floating argument.

#include <cstdint>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// What becomes of the losses of the single elements or rows. With `none` they are returned as they are. With
/// `batch_mean` their sum is divided by the size of axis 0.
enum class Reduction : std::uint8_t { mean, sum, none, batch_mean };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

// Classification. In logits or log-probabilities [N,K,...], axis 1 counts the classes; [K] is one row.

/// y_n = -sum_k t[n,k] ln softmax(logits)[n,k]; a term with t = 0 is 0.
///
/// logits is [N,K]. target has one of two forms. Int64 [N] gives the right class of each row: t is 1 for this
/// class and 0 for the others. [N,K] with logits' dtype gives the probabilities t themselves, which may
/// require a gradient. Throws ShapeError when K is 0, and Error when a class is not in [0, K). For more axes,
/// weights, classes to ignore, and label smoothing, see cross_entropy, which is as fast where it does the
/// same.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& target, const LossOptions& options = {});

struct CrossEntropyOptions {
  Tensor weight = {};  ///< [K], a factor for each class; undefined for 1.
  /// Rows of this class count nothing: loss and gradient are an exact 0 there, even if logits are NaN.
  std::int64_t ignore_index = -100;
  double label_smoothing = 0;  ///< e in [0, 1]: the targets are (1 - e) t + e / K.
  Reduction reduction = Reduction::mean;
};
/// y_n = -sum_k w_k t[n,k] ln softmax(logits)[n,k]; a term with t = 0 is 0.
///
/// logits is [N,K,...] or [K]. target gives classes, int64 [N,...] or [], or probabilities of logits' shape
/// and dtype, as in softmax_cross_entropy. For classes, the mean divides by the sum of the weights of the
/// rows' classes, without ignored rows. If all rows are ignored, it is NaN, with a gradient of 0. For
/// probabilities, the mean divides by the number of rows, and ignore_index has no effect. Throws Error when a
/// class is neither in [0, K) nor ignored.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});

struct NllLossOptions {
  Tensor weight = {};                ///< [K], a factor for each class; undefined for 1.
  std::int64_t ignore_index = -100;  ///< Rows of this class count nothing.
  Reduction reduction = Reduction::mean;
};
/// y_n = -w_k x[n,k] with k = target[n]: x [N,K,...] or [K] are log-probabilities, as from log_softmax, and
/// target [N,...] or [] are int64 classes. Means and errors are those of cross_entropy for classes.
Tensor nll_loss(const Tensor& x, const Tensor& target, const NllLossOptions& options = {});

struct MultiMarginOptions {
  double margin = 1;
  int p = 1;           ///< 1 or 2.
  Tensor weight = {};  ///< [K], a factor for each class; undefined for 1.
  Reduction reduction = Reduction::mean;
};
/// y_n = w_t / K sum_{k != t} max(0, margin - x[n,t] + x[n,k])^p with t = target[n]; x [N,K] or [K], target
/// int64 [N] or [].
Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginOptions& options = {});

struct CtcOptions {
  std::int64_t blank = 0;      ///< The class that stands for no label.
  bool zero_infinity = false;  ///< An infinite loss counts as 0.
  Reduction reduction = Reduction::mean;
};
/// y_n = -ln of the probability that image n's classes, drawn by x at each step, are its labels when repeats
/// are merged and then blanks left out (Graves et al., 2006).
///
/// x [T,N,K] are log-probabilities, target [N,S] int64 labels other than blank, input_lengths and
/// target_lengths [N] int64: the steps and labels of each image that count. Infinite where there are too few
/// steps for the labels; the gradient is 0 there. 0 without steps and labels. The mean first divides each
/// loss by its target length, if that is not 0. It takes about ten ops for each step.
Tensor ctc_loss(const Tensor& x, const Tensor& target, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options = {});

// Probabilities. All shapes are the same.

struct BinaryCrossEntropyOptions {
  Tensor weight = {};  ///< A factor for each loss, broadcast to the shape of x; undefined for 1.
  Reduction reduction = Reduction::mean;
};
/// y = -t ln x - (1 - t) ln(1 - x) with t = target, where logarithms below -100 count as -100.
/// dx = dy (x - t) / max(x (1 - x), 1e-12). Throws Error when an x is not in [0, 1]; NaN is passed on.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target,
                            const BinaryCrossEntropyOptions& options = {});

struct BinaryCrossEntropyWithLogitsOptions {
  Tensor weight = {};      ///< A factor for each loss, broadcast to the shape of x; undefined for 1.
  Tensor pos_weight = {};  ///< w, a factor for the positive part, broadcast likewise; undefined for 1.
  Reduction reduction = Reduction::mean;
};
/// y = -w t ln s - (1 - t) ln(1 - s) with s = sigmoid(x) and t = target, without overflow or cancellation.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyWithLogitsOptions& options = {});

struct KlDivOptions {
  bool log_target = false;  ///< target is ln t.
  Reduction reduction = Reduction::mean;
};
/// y = t (ln t - x), where x are log-probabilities and t = target, or e^target. A term with t = 0 is 0, even
/// if x is -inf. The divergence of distributions is the sum over classes: use Reduction::batch_mean.
/// dx = -t dy.
Tensor kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options = {});

struct PoissonNllOptions {
  bool log_input = true;  ///< x is the logarithm of the rate.
  bool full = false;  ///< Add Stirling's approximation of ln t!, t ln t - t + ln(2 pi t) / 2, where t > 1.
  double eps = 1e-8;  ///< Added to x in the logarithm, unless log_input.
  Reduction reduction = Reduction::mean;
};
/// y = e^x - t x, or x - t ln(x + eps), with t = target.
Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonNllOptions& options = {});

struct GaussianNllOptions {
  bool full = false;  ///< Add ln(2 pi) / 2.
  double eps = 1e-6;  ///< Smaller variances count as this one; they still get the gradient at this one.
  Reduction reduction = Reduction::mean;
};
/// y = (ln v + (x - target)^2 / v) / 2. variance is broadcast to the shape of x, and v = max(variance, eps).
/// Throws Error when a variance is negative.
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance,
                         const GaussianNllOptions& options = {});

// Differences d = x - target. Both have the same shape.

/// y = d^2.
Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options = {});
/// y = |d|.   dx = 0 where d = 0.
Tensor l1_loss(const Tensor& x, const Tensor& target, const LossOptions& options = {});

struct SmoothL1Options {
  double beta = 1;  ///< Not negative; 0 gives l1_loss.
  Reduction reduction = Reduction::mean;
};
/// y = |d| < beta ? d^2 / (2 beta) : |d| - beta / 2.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, const SmoothL1Options& options = {});

struct HuberOptions {
  double delta = 1;  ///< Positive.
  Reduction reduction = Reduction::mean;
};
/// y = |d| < delta ? d^2 / 2 : delta (|d| - delta / 2).
Tensor huber_loss(const Tensor& x, const Tensor& target, const HuberOptions& options = {});

// Margins. A target of 1 or -1 says which way a prediction should go.

/// y = ln(1 + e^(-t x)) with t = target, of the same shape and dtype.
Tensor soft_margin_loss(const Tensor& x, const Tensor& target, const LossOptions& options = {});

struct HingeEmbeddingOptions {
  double margin = 1;
  Reduction reduction = Reduction::mean;
};
/// y = t = 1 ? x : max(0, margin - x), where t = target has x's shape and any dtype of numbers. Throws Error
/// unless every t is 1 or -1.
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, const HingeEmbeddingOptions& options = {});

struct MarginRankingOptions {
  double margin = 0;
  Reduction reduction = Reduction::mean;
};
/// y = max(0, margin - t (x1 - x2)), where all of them, t = target too, have the same shape and dtype.
Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                           const MarginRankingOptions& options = {});

struct CosineSimilarityOptions {
  int axis = 1;
  double eps = 1e-8;  ///< Smaller norms count as this one.
};
/// y = sum x1 x2 / (max(|x1|, eps) max(|x2|, eps)) along axis, which y does not have. x1 and x2 are broadcast
/// to each other. It is 0 for a vector of zeros, with a finite gradient.
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, const CosineSimilarityOptions& options = {});

struct CosineEmbeddingOptions {
  double margin = 0;
  Reduction reduction = Reduction::mean;
};
/// y = t = 1 ? 1 - c : max(0, c - margin), where c is the cosine similarity of x1 and x2 [N,D] or [D], and
/// t = target is [N] or [] with any dtype of numbers. Throws Error unless every t is 1 or -1.
Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             const CosineEmbeddingOptions& options = {});

struct TripletMarginOptions {
  double margin = 1;
  double p = 2;       ///< The norm, see norm().
  double eps = 1e-6;  ///< Added to each difference.
  bool swap = false;  ///< The negative example may be compared with the positive one, if that is nearer.
  Reduction reduction = Reduction::mean;
};
/// y = max(0, margin + d(anchor, positive) - d(anchor, negative)) with d(a, b) = norm(a - b + eps) along the
/// last axis. All three are [...,D] of one shape; y has the axes in front.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options = {});

}  // namespace adjoint

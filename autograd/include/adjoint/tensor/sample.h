#pragma once
// Random choices as tensors: constants, drawn from a generator. Each is a function of the generator's state
// and of an element's position alone: element i in row-major order uses the generator's next numbers i, or 2i
// and 2i + 1, so results are the same for any number of threads. Afterwards the generator has advanced by as
// many numbers as elements use together. For uniform and normal numbers see create.h.

#include "adjoint/tensor/create.h"

namespace adjoint {

/// Each element is 1 with probability p, else 0; one number for each. p is rounded to a multiple of 2^-32.
/// All dtypes. Throws Error unless p is in [0, 1].
Tensor bernoulli(const Shape& shape, double p, const TensorOptions& options = {.dtype = DType::boolean},
                 Rng& rng = default_rng());
/// The same with a probability for each element; y has the shape and the dtype of p, which is floating.
Tensor bernoulli(const Tensor& p, Rng& rng = default_rng());

/// Whole numbers in [low, high), all equally likely up to (high - low) / 2^64; two numbers for each. All
/// dtypes but boolean; a floating one rounds large numbers. Throws Error unless low < high.
Tensor randint(const Shape& shape, std::int64_t low, std::int64_t high,
               const TensorOptions& options = {.dtype = DType::int64}, Rng& rng = default_rng());
/// 0, 1, ..., n - 1 in random order, int64 [n], by Rng::shuffle: how many numbers it uses depends on them.
/// Throws ShapeError when n is negative.
Tensor randperm(std::int64_t n, Rng& rng = default_rng());
/// Exponentially distributed, with mean 1 / rate; two numbers for each element. Floating dtypes only. Throws
/// Error unless rate is positive and finite.
Tensor exponential(const Shape& shape, double rate, const TensorOptions& options = {},
                   Rng& rng = default_rng());

struct MultinomialOptions {
  bool replacement = false;  ///< Whether a class may be drawn more than once.
};
/// Classes drawn with probabilities proportional to weights [K] or [N,K], as int64 [samples] or [N,samples].
/// With replacement, each sample uses two numbers. Without, each weight does: its class is the next one when
/// an exponential variable with this rate is the smallest left (Efraimidis, Spirakis, 2006). Floating dtypes
/// only. Throws Error when a weight is negative or not finite, when those of a row are all 0, and, without
/// replacement, when a row has fewer positive weights than samples; ShapeError when samples is negative or
/// the shape is another one.
Tensor multinomial(const Tensor& weights, std::int64_t samples, const MultinomialOptions& options = {},
                   Rng& rng = default_rng());

}  // namespace adjoint

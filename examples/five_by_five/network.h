#pragma once
// The 5x5 network built with the library: a 3x3 filter, pooling, and a dense layer to one number. README.md
// in this folder states it; "the note" is the lecture note that it comes from.

#include <adjoint/adjoint.h>

namespace five_by_five {

/// What stands between the image and Z1..Z4: the note's formulas and its picture differ.
enum class Reading {
  stride_two,  ///< (a) A convolution with stride 2, as the formulas have it.
  subsample,   ///< (b) Stride 1, then 1x1 pooling with stride 2: the same numbers.
  average,     ///< (c1) Stride 1, then the average of 2x2 windows with stride 1, as the picture may mean.
  maximum,     ///< (c2) The same with the maximum.
};

struct Network {
  adjoint::Tensor filter;        ///< w1..w9, [1,1,3,3]
  adjoint::Tensor dense_weight;  ///< v1..v4, [1,4]
  adjoint::Tensor dense_bias;    ///< c, [1]
};

/// Z1..Z4 of image a1..a25 [1,1,5,5], shape [1,1,2,2].
adjoint::Tensor pooled(const adjoint::Tensor& image, const adjoint::Tensor& filter, Reading reading);

/// y-hat from Z1..Z4, shape [1,1].
adjoint::Tensor predict(const adjoint::Tensor& z, const Network& network);

/// L = 1/2 (y-hat - y)^2, shape []. The note leaves the loss open.
adjoint::Tensor loss(const adjoint::Tensor& y_hat, double y);

}  // namespace five_by_five

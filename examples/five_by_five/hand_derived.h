#pragma once
// The 5x5 network by hand, with the names and indices of README.md in this folder: the image a1..a25 (row by
// row), one 3x3 filter w1..w9, Z1..Z4, the dense layer to y-hat, and dL/dw1..dL/dw9. "The note" is the
// lecture note that it comes from. Nothing here uses the library, whose gradients are compared with these.

#include <string>

#include "examples/support/numbered.h"

namespace five_by_five::hand_derived {

using examples::Numbered;

using Image = Numbered<25>;  // a1..a25
using Filter = Numbered<9>;  // w1..w9
using Output = Numbered<9>;  // O1..O9, of the picture only
using Pooled = Numbered<4>;  // Z1..Z4

// ---- The formulas: from the image to Z1..Z4 straight away ----

/// Z1 = w1 a1 + w2 a2 + ... + w9 a13 to Z4 = w1 a13 + ... + w9 a25: the filter laid on the image every two
/// pixels.
Pooled forward(const Image& a, const Filter& w);

/// dL/dw_k = sum_q dZ_q/dw_k dZ_q for k = 1..9, dZ_q being dL/dZ_q.
Filter gradient(const Image& a, const Pooled& dZ);

/// dL/dw_k as the note writes it: k = 1 gives "a1 dZ1 + a3 dZ2 + a11 dZ3 + a13 dZ4". Throws std::out_of_range
/// unless k is 1..9.
std::string gradient_text(int k);

/// w* = w - alpha dL/dw.
Filter updated(const Filter& w, const Filter& dw, double alpha);

// ---- The picture: convolution to O1..O9, then pooling to Z1..Z4 ----

/// O1..O9: the filter laid on the image every pixel.
Output convolve(const Image& a, const Filter& w);

/// dL/dw_k = sum_p dO_p/dw_k dO_p for k = 1..9, dO_p being dL/dO_p.
Filter convolve_gradient(const Image& a, const Output& dO);

/// What the picture's "pooling" may mean: every second output, as the formulas have it (Z1..Z4 = O1, O3, O7,
/// O9), or the average or the maximum of the four 2x2 windows, one step apart.
enum class Pooling { subsample, average, max };

/// Z1..Z4 from O1..O9.
Pooled pool(const Output& O, Pooling pooling);

/// dL/dO_p = sum_q dZ_q/dO_p dZ_q for p = 1..9. Of equal maxima the first in reading order takes the
/// gradient.
Output pool_gradient(const Output& O, const Pooled& dZ, Pooling pooling);

// ---- The dense layer and the loss ----

/// y-hat = v1 Z1 + v2 Z2 + v3 Z3 + v4 Z4 + c.
struct Dense {
  Pooled v;
  double c = 0;
};
double predict(const Dense& dense, const Pooled& Z);

/// L = 1/2 (y-hat - y)^2, the note leaving L open.
double loss(double y_hat, double y);

/// dL/dy-hat = y-hat - y.
double loss_gradient(double y_hat, double y);

/// dL/dZ_q = dy-hat/dZ_q dL/dy-hat = v_q dL/dy-hat, for any L.
Pooled predict_gradient(const Dense& dense, double dy_hat);

/// dL/dv_q = Z_q dL/dy-hat and dL/dc = dL/dy-hat, for any L.
Dense dense_gradient(const Pooled& Z, double dy_hat);

}  // namespace five_by_five::hand_derived

#include "examples/five_by_five/hand_derived.h"

#include <algorithm>
#include <fmt/core.h>
#include <stdexcept>

namespace five_by_five::hand_derived {
namespace {

// kFactor[k-1][q-1] is dZ_q/dw_k's pixel number: the one that w_k meets in Z_q.
//
// Errata of the note, all of them pixel numbers: dL/dw1 has a13 dL/dZ2 for a3 dL/dZ2, from z2 = w1 a13 + w2
// a14 + ... two lines up; z1, z3 and z4 there end in w9 a9, w9 a13 and w9 a15 for w9 a13, w9 a23 and w9 a25;
// and "same for w2" has Z3 = w1 a1 for w1 a11.
constexpr int kFactor[9][4] = {
    {1, 3, 11, 13},    // dL/dw1 = a1 dZ1 + a3 dZ2 + a11 dZ3 + a13 dZ4
    {2, 4, 12, 14},    // dL/dw2
    {3, 5, 13, 15},    // dL/dw3
    {6, 8, 16, 18},    // dL/dw4
    {7, 9, 17, 19},    // dL/dw5
    {8, 10, 18, 20},   // dL/dw6
    {11, 13, 21, 23},  // dL/dw7
    {12, 14, 22, 24},  // dL/dw8
    {13, 15, 23, 25},  // dL/dw9 = a13 dZ1 + a15 dZ2 + a23 dZ3 + a25 dZ4
};

// kWindow[q-1] are the outputs that are pooled to Z_q in the picture.
constexpr int kWindow[4][4] = {{1, 2, 4, 5}, {2, 3, 5, 6}, {4, 5, 7, 8}, {5, 6, 8, 9}};

// kSubsample[q-1] is the one output that is Z_q in the formulas.
constexpr int kSubsample[4] = {1, 3, 7, 9};

// The number of the pixel that w_k meets in O_p: both count row by row, O and w in rows of 3, a in rows of 5.
constexpr int pixel_under(int k, int p) {
  const int row = (k - 1) / 3 + (p - 1) / 3;
  const int column = (k - 1) % 3 + (p - 1) % 3;
  return 5 * row + column + 1;
}

// The output that is the largest of Z_q's window, the first of them in reading order.
int largest_in_window(const Output& O, int q) {
  const auto& window = kWindow[q - 1];
  return *std::max_element(std::begin(window), std::end(window), [&](int p, int r) { return O(p) < O(r); });
}

}  // namespace

// ---- The formulas ----

// The note's first list has Z2 = w1 a1 + w2 a3 + w3 a5 + ...: w1 a3 + w2 a4 + w3 a5 + ... (erratum).
Pooled forward(const Image& a, const Filter& w) {
  Pooled Z;
  // clang-format off
  Z(1) = w(1) * a(1)  + w(2) * a(2)  + w(3) * a(3) +
         w(4) * a(6)  + w(5) * a(7)  + w(6) * a(8) +
         w(7) * a(11) + w(8) * a(12) + w(9) * a(13);
  Z(2) = w(1) * a(3)  + w(2) * a(4)  + w(3) * a(5) +
         w(4) * a(8)  + w(5) * a(9)  + w(6) * a(10) +
         w(7) * a(13) + w(8) * a(14) + w(9) * a(15);
  Z(3) = w(1) * a(11) + w(2) * a(12) + w(3) * a(13) +
         w(4) * a(16) + w(5) * a(17) + w(6) * a(18) +
         w(7) * a(21) + w(8) * a(22) + w(9) * a(23);
  Z(4) = w(1) * a(13) + w(2) * a(14) + w(3) * a(15) +
         w(4) * a(18) + w(5) * a(19) + w(6) * a(20) +
         w(7) * a(23) + w(8) * a(24) + w(9) * a(25);
  // clang-format on
  return Z;
}

Filter gradient(const Image& a, const Pooled& dZ) {
  Filter dw;
  for (int k = 1; k <= 9; ++k)
    for (int q = 1; q <= 4; ++q) dw(k) += a(kFactor[k - 1][q - 1]) * dZ(q);
  return dw;
}

std::string gradient_text(int k) {
  if (k < 1 || k > 9) throw std::out_of_range(fmt::format("gradient_text: w{} is not one of w1..w9", k));
  const auto& [first, second, third, fourth] = kFactor[k - 1];
  return fmt::format("a{} dZ1 + a{} dZ2 + a{} dZ3 + a{} dZ4", first, second, third, fourth);
}

Filter updated(const Filter& w, const Filter& dw, double alpha) {
  Filter result;
  for (int k = 1; k <= 9; ++k) result(k) = w(k) - alpha * dw(k);
  return result;
}

// ---- The picture ----

Output convolve(const Image& a, const Filter& w) {
  Output O;
  for (int p = 1; p <= 9; ++p)
    for (int k = 1; k <= 9; ++k) O(p) += w(k) * a(pixel_under(k, p));
  return O;
}

Filter convolve_gradient(const Image& a, const Output& dO) {
  Filter dw;
  for (int k = 1; k <= 9; ++k)
    for (int p = 1; p <= 9; ++p) dw(k) += a(pixel_under(k, p)) * dO(p);
  return dw;
}

Pooled pool(const Output& O, Pooling pooling) {
  Pooled Z;
  for (int q = 1; q <= 4; ++q) {
    const auto& [p1, p2, p3, p4] = kWindow[q - 1];
    switch (pooling) {
      case Pooling::subsample:
        Z(q) = O(kSubsample[q - 1]);
        break;
      case Pooling::average:
        Z(q) = (O(p1) + O(p2) + O(p3) + O(p4)) / 4;
        break;
      case Pooling::max:
        Z(q) = O(largest_in_window(O, q));
        break;
    }
  }
  return Z;
}

Output pool_gradient(const Output& O, const Pooled& dZ, Pooling pooling) {
  Output dO;
  for (int q = 1; q <= 4; ++q) {
    switch (pooling) {
      case Pooling::subsample:
        dO(kSubsample[q - 1]) += dZ(q);
        break;
      case Pooling::average:
        for (const int p : kWindow[q - 1]) dO(p) += dZ(q) / 4;
        break;
      case Pooling::max:
        dO(largest_in_window(O, q)) += dZ(q);
        break;
    }
  }
  return dO;
}

// ---- The dense layer and the loss ----

double predict(const Dense& dense, const Pooled& Z) {
  const auto& [v, c] = dense;
  return v(1) * Z(1) + v(2) * Z(2) + v(3) * Z(3) + v(4) * Z(4) + c;
}

double loss(double y_hat, double y) { return (y_hat - y) * (y_hat - y) / 2; }

double loss_gradient(double y_hat, double y) { return y_hat - y; }

Pooled predict_gradient(const Dense& dense, double dy_hat) {
  Pooled dZ;
  for (int q = 1; q <= 4; ++q) dZ(q) = dense.v(q) * dy_hat;
  return dZ;
}

Dense dense_gradient(const Pooled& Z, double dy_hat) {
  Dense gradient{.v = {}, .c = dy_hat};
  for (int q = 1; q <= 4; ++q) gradient.v(q) = Z(q) * dy_hat;
  return gradient;
}

}  // namespace five_by_five::hand_derived

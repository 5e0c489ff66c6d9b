// The backward pass by hand: B1 to B8.

#include "examples/documented_cnn/hand_derived.h"

namespace documented_cnn::hand_derived {
namespace {

// ceil(i / 2): which 2x2 square row (or column) i lies in.
constexpr int ceil_half(int i) { return (i + 1) / 2; }

}  // namespace

double slope(Activation f, double a) {
  if (f == Activation::sigmoid) return a * (1 - a);
  if (f == Activation::tanh) return 1 - a * a;
  return a > 0 ? 1 : 0;
}

// (B1)  delta_2 = S - y
Vector<10> output_delta(const Vector<10>& S, const Target& y) {
  Vector<10> delta_2;
  for (int k = 1; k <= 10; ++k) delta_2(k) = S(k) - y(k);
  return delta_2;
}

// (B1)  delta_2(l) = sum_k J(k,l) dL/dS_k,  J(k,l) = dS_k/dz_l = S_k [k = l] - S_k S_l,  dL/dS_k = -y_k / S_k
Vector<10> output_delta_by_jacobian(const Vector<10>& S, const Target& y) {
  Vector<10> dL_dS;
  Matrix<10, 10> J;
  for (int k = 1; k <= 10; ++k) {
    dL_dS(k) = y(k) != 0 ? -y(k) / S(k) : 0;
    for (int l = 1; l <= 10; ++l) J(k, l) = (k == l ? S(k) : 0) - S(k) * S(l);
  }
  Vector<10> delta_2;
  for (int l = 1; l <= 10; ++l)
    for (int k = 1; k <= 10; ++k) delta_2(l) += J(k, l) * dL_dS(k);
  return delta_2;
}

// (B1)  dW2 = delta_2 a1^T
Matrix<10, 50> output_weight_gradient(const Vector<10>& delta_2, const Vector<50>& a1) {
  Matrix<10, 50> dW2;
  for (int k = 1; k <= 10; ++k)
    for (int h = 1; h <= 50; ++h) dW2(k, h) = delta_2(k) * a1(h);
  return dW2;
}

// (B2)  delta_1 = (W2^T delta_2) * f'
Vector<50> hidden_delta(const Matrix<10, 50>& W2, const Vector<10>& delta_2, const Vector<50>& a1,
                        Activation f) {
  Vector<50> delta_1;
  for (int h = 1; h <= 50; ++h) {
    double sum = 0;
    for (int k = 1; k <= 10; ++k) sum += W2(k, h) * delta_2(k);
    delta_1(h) = sum * slope(f, a1(h));
  }
  return delta_1;
}

// (B2)  dW1 = delta_1 flatten^T
// The note's lines for dW1 and db1' are garbled: both read delta_1 x flatten; db1' is delta_1 (erratum).
Matrix<50, 96> hidden_weight_gradient(const Vector<50>& delta_1, const Vector<96>& flat) {
  Matrix<50, 96> dW1;
  for (int h = 1; h <= 50; ++h)
    for (int p = 1; p <= 96; ++p) dW1(h, p) = delta_1(h) * flat(p);
  return dW1;
}

// (B3)  delta_flatten = W1^T delta_1
Vector<96> flat_delta(const Matrix<50, 96>& W1, const Vector<50>& delta_1) {
  Vector<96> delta_flat;
  for (int p = 1; p <= 96; ++p)
    for (int h = 1; h <= 50; ++h) delta_flat(p) += W1(h, p) * delta_1(h);
  return delta_flat;
}

// (B3)  delta_P2_n(i,j) = delta_flatten(16 (n-1) + 4 (i-1) + j)
Maps<6, 4, 4> pool2_delta(const Vector<96>& delta_flat) {
  Maps<6, 4, 4> delta_P2;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 4; ++i)
      for (int j = 1; j <= 4; ++j) delta_P2(n, i, j) = delta_flat(16 * (n - 1) + 4 * (i - 1) + j);
  return delta_P2;
}

// (B4)  delta_C2_n(i,j) = 1/4 delta_P2_n(ceil(i/2), ceil(j/2)) * f'          n = 1..6, i,j = 1..8
Maps<6, 8, 8> conv2_delta(const Maps<6, 4, 4>& delta_P2, const Maps<6, 8, 8>& C2, Activation f) {
  Maps<6, 8, 8> delta_C2;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 8; ++i)
      for (int j = 1; j <= 8; ++j)
        delta_C2(n, i, j) = delta_P2(n, ceil_half(i), ceil_half(j)) / 4 * slope(f, C2(n, i, j));
  return delta_C2;
}

// (B5)  dK2_mn(u,v) = sum_{i,j=1..8} delta_C2_n(i,j) P1_m(i-u, j-v)
// The note prints j = 1..6 in places: C2 is 8x8, so j = 1..8 (erratum).
Kernels<4, 6> conv2_kernel_gradient(const Maps<6, 8, 8>& delta_C2, const Maps<4, 12, 12>& pooled) {
  const Centered P1{pooled};
  Kernels<4, 6> dK2;
  for (int n = 1; n <= 6; ++n)
    for (int m = 1; m <= 4; ++m)
      for (int u = -2; u <= 2; ++u)
        for (int v = -2; v <= 2; ++v) {
          double sum = 0;
          for (int i = 1; i <= 8; ++i)
            for (int j = 1; j <= 8; ++j) sum += delta_C2(n, i, j) * P1(m, i - u, j - v);
          dK2(m, n, u, v) = sum;
        }
  return dK2;
}

// (B5)  db2_n = sum_{i,j=1..8} delta_C2_n(i,j)
Vector<6> conv2_bias_gradient(const Maps<6, 8, 8>& delta_C2) {
  Vector<6> db2;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 8; ++i)
      for (int j = 1; j <= 8; ++j) db2(n) += delta_C2(n, i, j);
  return db2;
}

// (B6)  delta_P1_m(i,j) = sum_n sum_uv delta_C2_n(i+u, j+v) K2_mn(u,v)       m = 1..4, i,j = -1..10,
// which is all of P1
Maps<4, 12, 12> pool1_delta(const Maps<6, 8, 8>& deltas, const Kernels<4, 6>& K2) {
  const ZeroOutside delta_C2{deltas};
  Maps<4, 12, 12> result;
  const Centered delta_P1{result};
  for (int m = 1; m <= 4; ++m)
    for (int i = -1; i <= 10; ++i)
      for (int j = -1; j <= 10; ++j) {
        double sum = 0;
        for (int n = 1; n <= 6; ++n)
          for (int u = -2; u <= 2; ++u)
            for (int v = -2; v <= 2; ++v) sum += delta_C2(n, i + u, j + v) * K2(m, n, u, v);
        delta_P1(m, i, j) = sum;
      }
  return result;
}

// (B7)  delta_C1_m(i,j) = 1/4 delta_P1_m(ceil(i/2), ceil(j/2)) * f'          m = 1..4, i,j = 1..24
Maps<4, 24, 24> conv1_delta(const Maps<4, 12, 12>& delta_P1, const Maps<4, 24, 24>& C1, Activation f) {
  Maps<4, 24, 24> delta_C1;
  for (int m = 1; m <= 4; ++m)
    for (int i = 1; i <= 24; ++i)
      for (int j = 1; j <= 24; ++j)
        delta_C1(m, i, j) = delta_P1(m, ceil_half(i), ceil_half(j)) / 4 * slope(f, C1(m, i, j));
  return delta_C1;
}

// (B8)  dK1_m(u,v) = sum_{i,j=1..24} delta_C1_m(i,j) I(i-u, j-v)
Kernels<1, 4> conv1_kernel_gradient(const Maps<4, 24, 24>& delta_C1, const Image& image) {
  const Centered I{image};
  Kernels<1, 4> dK1;
  for (int m = 1; m <= 4; ++m)
    for (int u = -2; u <= 2; ++u)
      for (int v = -2; v <= 2; ++v) {
        double sum = 0;
        for (int i = 1; i <= 24; ++i)
          for (int j = 1; j <= 24; ++j) sum += delta_C1(m, i, j) * I(i - u, j - v);
        dK1(1, m, u, v) = sum;
      }
  return dK1;
}

// (B8)  db1_m = sum_{i,j=1..24} delta_C1_m(i,j)
Vector<4> conv1_bias_gradient(const Maps<4, 24, 24>& delta_C1) {
  Vector<4> db1;
  for (int m = 1; m <= 4; ++m)
    for (int i = 1; i <= 24; ++i)
      for (int j = 1; j <= 24; ++j) db1(m) += delta_C1(m, i, j);
  return db1;
}

Backward backward(const Parameters& parameters, const Example& example, const Forward& forward,
                  Activation f) {
  const auto& [C1, P1, C2, P2, flat, a1, S, L] = forward;
  Backward pass;
  Gradient& d = pass.gradient;

  pass.delta_2 = output_delta(S, example.y);  // B1
  d.W2 = output_weight_gradient(pass.delta_2, a1);
  d.b2_prime = pass.delta_2;

  pass.delta_1 = hidden_delta(parameters.W2, pass.delta_2, a1, f);  // B2
  d.W1 = hidden_weight_gradient(pass.delta_1, flat);
  d.b1_prime = pass.delta_1;

  pass.delta_flat = flat_delta(parameters.W1, pass.delta_1);  // B3
  pass.delta_P2 = pool2_delta(pass.delta_flat);

  pass.delta_C2 = conv2_delta(pass.delta_P2, C2, f);  // B4
  d.K2 = conv2_kernel_gradient(pass.delta_C2, P1);    // B5
  d.b2 = conv2_bias_gradient(pass.delta_C2);

  pass.delta_P1 = pool1_delta(pass.delta_C2, parameters.K2);   // B6
  pass.delta_C1 = conv1_delta(pass.delta_P1, C1, f);           // B7
  d.K1 = conv1_kernel_gradient(pass.delta_C1, example.image);  // B8
  d.b1 = conv1_bias_gradient(pass.delta_C1);
  return pass;
}

}  // namespace documented_cnn::hand_derived

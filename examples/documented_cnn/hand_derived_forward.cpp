// The forward pass by hand: F1 to F7.

#include <algorithm>
#include <cmath>

#include "examples/documented_cnn/hand_derived.h"

namespace documented_cnn::hand_derived {

double apply(Activation f, double z) {
  if (f == Activation::sigmoid) return 1 / (1 + std::exp(-z));
  if (f == Activation::tanh) return std::tanh(z);
  return z > 0 ? z : 0;
}

// (F1)  C1_m(i,j) = f( sum_uv I(i-u, j-v) K1_m(u,v) + b1_m )        m = 1..4, i,j = 1..24
// K1_m is the note's K_{1,m}: from map 1, the image, to map m.
Maps<4, 24, 24> conv1_forward(const Image& image, const Kernels<1, 4>& K1, const Vector<4>& b1,
                              Activation f) {
  const Centered I{image};
  Maps<4, 24, 24> C1;
  for (int m = 1; m <= 4; ++m)
    for (int i = 1; i <= 24; ++i)
      for (int j = 1; j <= 24; ++j) {
        double sum = 0;
        for (int u = -2; u <= 2; ++u)
          for (int v = -2; v <= 2; ++v) sum += I(i - u, j - v) * K1(1, m, u, v);
        C1(m, i, j) = apply(f, sum + b1(m));
      }
  return C1;
}

// (F2)  P1_m(i,j) = 1/4 sum_{u,v=0..1} C1_m(2i-u, 2j-v)             m = 1..4, i,j = 1..12
Maps<4, 12, 12> pool1_forward(const Maps<4, 24, 24>& C1) {
  Maps<4, 12, 12> P1;
  for (int m = 1; m <= 4; ++m)
    for (int i = 1; i <= 12; ++i)
      for (int j = 1; j <= 12; ++j) {
        double sum = 0;
        for (int u = 0; u <= 1; ++u)
          for (int v = 0; v <= 1; ++v) sum += C1(m, 2 * i - u, 2 * j - v);
        P1(m, i, j) = sum / 4;
      }
  return P1;
}

// (F3)  C2_n(i,j) = f( sum_m sum_uv P1_m(i-u, j-v) K2_mn(u,v) + b2_n )        n = 1..6, i,j = 1..8
// Where the note repeats this formula it sums over n = 1..4: the sum runs over m (erratum).
Maps<6, 8, 8> conv2_forward(const Maps<4, 12, 12>& pooled, const Kernels<4, 6>& K2, const Vector<6>& b2,
                            Activation f) {
  const Centered P1{pooled};
  Maps<6, 8, 8> C2;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 8; ++i)
      for (int j = 1; j <= 8; ++j) {
        double sum = 0;
        for (int m = 1; m <= 4; ++m)
          for (int u = -2; u <= 2; ++u)
            for (int v = -2; v <= 2; ++v) sum += P1(m, i - u, j - v) * K2(m, n, u, v);
        C2(n, i, j) = apply(f, sum + b2(n));
      }
  return C2;
}

// (F4)  P2_n(i,j) = 1/4 sum_{u,v=0..1} C2_n(2i-u, 2j-v)             n = 1..6, i,j = 1..4
Maps<6, 4, 4> pool2_forward(const Maps<6, 8, 8>& C2) {
  Maps<6, 4, 4> P2;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 4; ++i)
      for (int j = 1; j <= 4; ++j) {
        double sum = 0;
        for (int u = 0; u <= 1; ++u)
          for (int v = 0; v <= 1; ++v) sum += C2(n, 2 * i - u, 2 * j - v);
        P2(n, i, j) = sum / 4;
      }
  return P2;
}

// flatten(16 (n-1) + 4 (i-1) + j) = P2_n(i,j)
Vector<96> flatten(const Maps<6, 4, 4>& P2) {
  Vector<96> flat;
  for (int n = 1; n <= 6; ++n)
    for (int i = 1; i <= 4; ++i)
      for (int j = 1; j <= 4; ++j) flat(16 * (n - 1) + 4 * (i - 1) + j) = P2(n, i, j);
  return flat;
}

// (F5)  a1 = f( W1 flatten + b1' )
// The note prints flatten x W1 here and W1^T delta_1 in B3: W1 is 50x96, out x in, throughout (erratum).
Vector<50> hidden_forward(const Vector<96>& flat, const Matrix<50, 96>& W1, const Vector<50>& b1_prime,
                          Activation f) {
  Vector<50> a1;
  for (int h = 1; h <= 50; ++h) {
    double sum = 0;
    for (int p = 1; p <= 96; ++p) sum += W1(h, p) * flat(p);
    a1(h) = apply(f, sum + b1_prime(h));
  }
  return a1;
}

// (F6)  S = softmax( W2 a1 + b2' ),  softmax(z)_k = e^z_k / sum_l e^z_l
// Taking the largest z from all of them leaves S as it is and keeps e^z from overflowing.
Vector<10> output_forward(const Vector<50>& a1, const Matrix<10, 50>& W2, const Vector<10>& b2_prime) {
  Vector<10> z = b2_prime;
  for (int k = 1; k <= 10; ++k)
    for (int h = 1; h <= 50; ++h) z(k) += W2(k, h) * a1(h);
  const double largest = *std::max_element(z.values.begin(), z.values.end());

  Vector<10> S;
  double sum = 0;
  for (int k = 1; k <= 10; ++k) sum += S(k) = std::exp(z(k) - largest);
  for (int k = 1; k <= 10; ++k) S(k) /= sum;
  return S;
}

// (F7)  L = - sum_k y_k log S_k,  where 0 log 0 = 0
double cross_entropy(const Vector<10>& S, const Target& y) {
  double L = 0;
  for (int k = 1; k <= 10; ++k)
    if (y(k) != 0) L -= y(k) * std::log(S(k));
  return L;
}

Forward forward(const Parameters& parameters, const Example& example, Activation f) {
  const auto& [K1, b1, K2, b2, W1, b1_prime, W2, b2_prime] = parameters;
  Forward pass;
  pass.C1 = conv1_forward(example.image, K1, b1, f);  // F1
  pass.P1 = pool1_forward(pass.C1);                   // F2
  pass.C2 = conv2_forward(pass.P1, K2, b2, f);        // F3
  pass.P2 = pool2_forward(pass.C2);                   // F4
  pass.flat = flatten(pass.P2);
  pass.a1 = hidden_forward(pass.flat, W1, b1_prime, f);  // F5
  pass.S = output_forward(pass.a1, W2, b2_prime);        // F6
  pass.L = cross_entropy(pass.S, example.y);             // F7
  return pass;
}

}  // namespace documented_cnn::hand_derived

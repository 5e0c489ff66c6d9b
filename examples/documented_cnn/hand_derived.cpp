#include "examples/documented_cnn/hand_derived.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <type_traits>

namespace documented_cnn::hand_derived {
namespace {

// ceil(i / 2): which 2x2 square row (or column) i lies in.
constexpr int ceil_half(int i) { return (i + 1) / 2; }

// The note prints 6170 (erratum): 4*5*5 + 4 + 24*5*5 + 6 + 50*96 + 50 + 10*50 + 10 is 6070.
static_assert(4 * 5 * 5 + 4 + 24 * 5 * 5 + 6 + 50 * 96 + 50 + 10 * 50 + 10 == kParameterCount);
static_assert(sizeof(Parameters) == kParameterCount * sizeof(double));

}  // namespace

double apply(Activation f, double z) {
  if (f == Activation::sigmoid) return 1 / (1 + std::exp(-z));
  if (f == Activation::tanh) return std::tanh(z);
  return z > 0 ? z : 0;
}

double slope(Activation f, double a) {
  if (f == Activation::sigmoid) return a * (1 - a);
  if (f == Activation::tanh) return 1 - a * a;
  return a > 0 ? 1 : 0;
}

// ---- Forward ----

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

// ---- Backward ----

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

// (B6)  delta_P1_m(i,j) = sum_n sum_uv delta_C2_n(i+u, j+v) K2_mn(u,v)       m = 1..4, i,j = -1..10: all of
// P1
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

// ---- The whole of it ----

namespace {

auto list_tensors(auto& p) {
  using Number = std::remove_reference_t<decltype(p.K1.values[0])>;
  return std::array<NamedTensor<Number>, 8>{{{"K1", p.K1.values},
                                             {"b1", p.b1.values},
                                             {"K2", p.K2.values},
                                             {"b2", p.b2.values},
                                             {"W1", p.W1.values},
                                             {"b1'", p.b1_prime.values},
                                             {"W2", p.W2.values},
                                             {"b2'", p.b2_prime.values}}};
}

// p <- p + scale q, tensor by tensor.
void add_scaled(Parameters& parameters, double scale, const Parameters& others) {
  const auto p = tensors(parameters);
  const auto q = tensors(others);
  for (std::size_t t = 0; t < p.size(); ++t)
    for (std::size_t i = 0; i < p[t].values.size(); ++i) p[t].values[i] += scale * q[t].values[i];
}

}  // namespace

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

// The note has no batch, it takes one image a step: N = 1.
LossAndGradient mean_over_batch(const Parameters& parameters, std::span<const Example> batch, Activation f) {
  if (batch.empty()) throw std::invalid_argument("mean_over_batch: the batch is empty");
  const double N = static_cast<double>(batch.size());
  LossAndGradient mean;
  for (const Example& example : batch) {
    const Forward pass = forward(parameters, example, f);
    mean.loss += pass.L / N;
    add_scaled(mean.gradient, 1, backward(parameters, example, pass, f).gradient);
  }
  for (const auto& d : tensors(mean.gradient))
    for (double& value : d.values) value /= N;
  return mean;
}

// (U)  p <- p - lambda dp
// The note's updates of b1, W1 and b1' are garbled: b2 twice, W - lambda db (erratum).
void sgd_step(Parameters& parameters, const Gradient& gradient, double lambda) {
  add_scaled(parameters, -lambda, gradient);
}

std::array<NamedTensor<double>, 8> tensors(Parameters& parameters) { return list_tensors(parameters); }
std::array<NamedTensor<const double>, 8> tensors(const Parameters& parameters) {
  return list_tensors(parameters);
}

Target one_hot(int digit) {
  if (digit < 0 || digit > 9) throw std::out_of_range("one_hot: the digit must be 0..9");
  Target y;
  y(digit + 1) = 1;
  return y;
}

}  // namespace documented_cnn::hand_derived

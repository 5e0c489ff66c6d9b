#pragma once
// The documented CNN by hand: the formulas F1-F7, B1-B8 and U of README.md in this folder as plain loops over
// doubles, with the same names and indices. "The note" is the lecture note that they come from. Nothing here
// uses the library, whose gradients are compared with these. Maps, rows, columns and units count from 1; the
// kernel indices u, v run from -2 to 2.

#include <array>
#include <span>

#include "examples/documented_cnn/grids.h"

namespace documented_cnn::hand_derived {

using Image = Matrix<28, 28>;
using Target = Vector<10>;  // y(k): the wanted probability of digit k - 1; sums to 1

enum class Activation { sigmoid, tanh, relu };

/// What is learned. The note's b1' and b2', the biases of the two dense layers, are b1_prime and b2_prime.
struct Parameters {
  Kernels<1, 4> K1;
  Vector<4> b1;
  Kernels<4, 6> K2;
  Vector<6> b2;
  Matrix<50, 96> W1;
  Vector<50> b1_prime;
  Matrix<10, 50> W2;
  Vector<10> b2_prime;
};
inline constexpr int kParameterCount = 6070;

/// dL/dp for every parameter p: the same shapes, so the same type.
using Gradient = Parameters;

struct Example {
  Image image;
  Target y;
};

/// Everything F1-F7 compute from one image, each stage after its activation.
struct Forward {
  Maps<4, 24, 24> C1;
  Maps<4, 12, 12> P1;
  Maps<6, 8, 8> C2;
  Maps<6, 4, 4> P2;
  Vector<96> flat;
  Vector<50> a1;
  Vector<10> S;
  double L = 0;
};

/// Everything B1-B8 compute from one image. delta_X is dL/dX, taken before X's activation where X has one.
struct Backward {
  Vector<10> delta_2;
  Vector<50> delta_1;
  Vector<96> delta_flat;
  Maps<6, 4, 4> delta_P2;
  Maps<6, 8, 8> delta_C2;
  Maps<4, 12, 12> delta_P1;
  Maps<4, 24, 24> delta_C1;
  Gradient gradient;
};

struct LossAndGradient {
  double loss = 0;
  Gradient gradient;
};

template <class Number>
struct NamedTensor {
  const char* name;
  std::span<Number> values;
};

// ---- The whole of it: what a training loop calls ----

/// F1-F7 in order.
Forward forward(const Parameters& parameters, const Example& example, Activation f);

/// B1-B8 in order, from the forward pass of the same parameters, example and activation.
Backward backward(const Parameters& parameters, const Example& example, const Forward& forward, Activation f);

/// loss = 1/N sum_n L_n and gradient = 1/N sum_n dL_n. Throws std::invalid_argument when the batch is empty.
LossAndGradient mean_over_batch(const Parameters& parameters, std::span<const Example> batch, Activation f);

/// (U) p <- p - lambda dp for every parameter p.
void sgd_step(Parameters& parameters, const Gradient& gradient, double lambda);

/// y(digit + 1) = 1, the rest 0. Throws std::out_of_range unless digit is 0..9.
Target one_hot(int digit);

/// The eight tensors with the note's names, in the order K1, b1, K2, b2, W1, b1', W2, b2'.
std::array<NamedTensor<double>, 8> tensors(Parameters& parameters);
std::array<NamedTensor<const double>, 8> tensors(const Parameters& parameters);

// ---- f and its derivative ----

/// a = f(z).
double apply(Activation f, double z);

/// f'(z), told from a = f(z): sigmoid a (1 - a), tanh 1 - a^2, relu [a > 0].
double slope(Activation f, double a);

// ---- Forward, one function an equation; (x) is the true convolution ----

/// (F1) C1_m = f(I (x) K1_m + b1_m).
Maps<4, 24, 24> conv1_forward(const Image& image, const Kernels<1, 4>& K1, const Vector<4>& b1, Activation f);

/// (F2) P1_m = the averages of C1_m's 2x2 squares.
Maps<4, 12, 12> pool1_forward(const Maps<4, 24, 24>& C1);

/// (F3) C2_n = f(sum_m P1_m (x) K2_mn + b2_n).
Maps<6, 8, 8> conv2_forward(const Maps<4, 12, 12>& P1, const Kernels<4, 6>& K2, const Vector<6>& b2,
                            Activation f);

/// (F4) P2_n = the averages of C2_n's 2x2 squares.
Maps<6, 4, 4> pool2_forward(const Maps<6, 8, 8>& C2);

/// flatten: map n, then row i, then column j.
Vector<96> flatten(const Maps<6, 4, 4>& P2);

/// (F5) a1 = f(W1 flatten + b1').
Vector<50> hidden_forward(const Vector<96>& flat, const Matrix<50, 96>& W1, const Vector<50>& b1_prime,
                          Activation f);

/// (F6) S = softmax(W2 a1 + b2').
Vector<10> output_forward(const Vector<50>& a1, const Matrix<10, 50>& W2, const Vector<10>& b2_prime);

/// (F7) L = -sum_k y_k log S_k.
double cross_entropy(const Vector<10>& S, const Target& y);

// ---- Backward, one function a formula ----

/// (B1) delta_2 = S - y.
Vector<10> output_delta(const Vector<10>& S, const Target& y);

/// (B1) the long way round: delta_2 = J^T dL/dS, J = diag(S) - S S^T; equal to S - y because y sums to 1.
Vector<10> output_delta_by_jacobian(const Vector<10>& S, const Target& y);

/// (B1) dW2 = delta_2 a1^T.
Matrix<10, 50> output_weight_gradient(const Vector<10>& delta_2, const Vector<50>& a1);

/// (B2) delta_1 = (W2^T delta_2) * f'.
Vector<50> hidden_delta(const Matrix<10, 50>& W2, const Vector<10>& delta_2, const Vector<50>& a1,
                        Activation f);

/// (B2) dW1 = delta_1 flatten^T.
Matrix<50, 96> hidden_weight_gradient(const Vector<50>& delta_1, const Vector<96>& flat);

/// (B3) delta_flatten = W1^T delta_1.
Vector<96> flat_delta(const Matrix<50, 96>& W1, const Vector<50>& delta_1);

/// (B3) delta_flatten, reshaped to delta_P2_n.
Maps<6, 4, 4> pool2_delta(const Vector<96>& delta_flat);

/// (B4) delta_C2_n = delta_P2_n / 4, copied to its 2x2 square, times f'.
Maps<6, 8, 8> conv2_delta(const Maps<6, 4, 4>& delta_P2, const Maps<6, 8, 8>& C2, Activation f);

/// (B5) dK2_mn = delta_C2_n (x) rot180(P1_m).
Kernels<4, 6> conv2_kernel_gradient(const Maps<6, 8, 8>& delta_C2, const Maps<4, 12, 12>& P1);

/// (B5) db2_n = sum_ij delta_C2_n.
Vector<6> conv2_bias_gradient(const Maps<6, 8, 8>& delta_C2);

/// (B6) delta_P1_m = sum_n delta_C2_n (x)full rot180(K2_mn).
Maps<4, 12, 12> pool1_delta(const Maps<6, 8, 8>& delta_C2, const Kernels<4, 6>& K2);

/// (B7) delta_C1_m = delta_P1_m / 4, copied to its 2x2 square, times f'.
Maps<4, 24, 24> conv1_delta(const Maps<4, 12, 12>& delta_P1, const Maps<4, 24, 24>& C1, Activation f);

/// (B8) dK1_m = delta_C1_m (x) rot180(I).
Kernels<1, 4> conv1_kernel_gradient(const Maps<4, 24, 24>& delta_C1, const Image& image);

/// (B8) db1_m = sum_ij delta_C1_m.
Vector<4> conv1_bias_gradient(const Maps<4, 24, 24>& delta_C1);

}  // namespace documented_cnn::hand_derived

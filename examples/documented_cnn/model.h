#pragma once
// The documented CNN: two true convolutions with average pooling, two dense layers; 6070 parameters.
// README.md in this folder states it; "the note" is the lecture note that it comes from.

#include <adjoint/adjoint.h>
#include <string>

namespace documented_cnn {

/// The activations f that the note leaves open, by name: "sigmoid", "tanh" or "relu".
using Activation = adjoint::Tensor (*)(adjoint::Tensor);
/// Throws adjoint::Error when there is none of this name.
Activation activation_named(const std::string& name);

enum class Pooling { average, max };

struct ModelOptions {
  Activation activation = adjoint::relu;
  Pooling pooling = Pooling::average;  ///< The note's is the average.
  adjoint::DType dtype = adjoint::float32;
};

/// Images [N,1,28,28] -> logits [N,10]; equations F1 to F6 of the note, softmax left to the loss.
class DocumentedCnn : public adjoint::Module {
 public:
  /// Biases 0, weights uniform within the note's bounds.
  explicit DocumentedCnn(const ModelOptions& options = {}, adjoint::Rng& rng = adjoint::default_rng());

  /// What the note's deltas are gradients of: the stages' values before the activation, where there is one.
  struct Stages {
    adjoint::Tensor c1;      ///< [N,4,24,24]
    adjoint::Tensor p1;      ///< [N,4,12,12]
    adjoint::Tensor c2;      ///< [N,6,8,8]
    adjoint::Tensor flat;    ///< [N,96]
    adjoint::Tensor hidden;  ///< [N,50]
    adjoint::Tensor logits;  ///< [N,10]
  };
  Stages stages(const adjoint::Tensor& image);

  adjoint::Tensor forward(const adjoint::Tensor& image) override;

 private:
  adjoint::Tensor pool(const adjoint::Tensor& x) const;

  ModelOptions options_;
  adjoint::Conv2d conv1_, conv2_;
  adjoint::Dense hidden_, output_;
};

}  // namespace documented_cnn

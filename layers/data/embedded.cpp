#include "layers/data/embedded.h"

// The assembler copies each file, found along its include path, between two symbols.
asm(R"(
  .pushsection .rodata
adjoint_train_images:     .incbin "train-images-idx3-ubyte.gz"
adjoint_train_labels:     .incbin "train-labels-idx1-ubyte.gz"
adjoint_test_images:      .incbin "t10k-images-idx3-ubyte.gz"
adjoint_test_labels:      .incbin "t10k-labels-idx1-ubyte.gz"
adjoint_embedded_end:
  .globl adjoint_train_images, adjoint_train_labels, adjoint_test_images, adjoint_test_labels, adjoint_embedded_end
  .hidden adjoint_train_images, adjoint_train_labels, adjoint_test_images, adjoint_test_labels, adjoint_embedded_end
  .popsection
)");

extern "C" {
extern const std::uint8_t adjoint_train_images[];
extern const std::uint8_t adjoint_train_labels[];
extern const std::uint8_t adjoint_test_images[];
extern const std::uint8_t adjoint_test_labels[];
extern const std::uint8_t adjoint_embedded_end[];
}

namespace adjoint {

EmbeddedFiles embedded_files() {
  return {.train_images = {adjoint_train_images, adjoint_train_labels},
          .train_labels = {adjoint_train_labels, adjoint_test_images},
          .test_images = {adjoint_test_images, adjoint_test_labels},
          .test_labels = {adjoint_test_labels, adjoint_embedded_end}};
}

}  // namespace adjoint

#include "layers/data/embedded/embedded.h"

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

namespace adjoint {

extern const std::uint8_t kTrainImages[] asm("adjoint_train_images");
extern const std::uint8_t kTrainLabels[] asm("adjoint_train_labels");
extern const std::uint8_t kTestImages[] asm("adjoint_test_images");
extern const std::uint8_t kTestLabels[] asm("adjoint_test_labels");
extern const std::uint8_t kEnd[] asm("adjoint_embedded_end");

EmbeddedFiles embedded_files() {
  return {.train_images = {kTrainImages, kTrainLabels},
          .train_labels = {kTrainLabels, kTestImages},
          .test_images = {kTestImages, kTestLabels},
          .test_labels = {kTestLabels, kEnd}};
}

}  // namespace adjoint

#pragma once
// The MNIST subset that is linked into the library.

#include <cstdint>
#include <span>

namespace adjoint {

/// The bytes of four gzipped IDX files. README.md in this folder describes them.
struct EmbeddedFiles {
  std::span<const std::uint8_t> train_images, train_labels, test_images, test_labels;
};
EmbeddedFiles embedded_files();

}  // namespace adjoint

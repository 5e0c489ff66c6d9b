#pragma once
// MNIST and data sets in its format: gray images of one size with labels 0 to 9, in four IDX files.

#include <cstdint>
#include <string>
#include <vector>

#include "adjoint/data/idx.h"

namespace adjoint {

/// Images with the class of each.
struct LabeledImages {
  std::int64_t count = 0, height = 0, width = 0;
  std::vector<std::uint8_t> images;  ///< [count,height,width], 0 is background and 255 full ink
  std::vector<std::uint8_t> labels;  ///< [count], each below kMnistClasses
};

inline constexpr int kMnistClasses = 10;

/// Training and test images of the same size.
struct Mnist {
  LabeledImages train, test;
  std::string source;  ///< one line for people: how many images of what size, from where
};

/// The four files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte, in the directory itself or in raw or MNIST/raw below it. Each may also be written
/// with a dot (train-images.idx3-ubyte), end in .gz, or lie in a folder of its own name. Throws FileError
/// when the directory or a file is missing or unreadable, when read_idx() refuses a file, and when a file
/// does not hold images or labels as its name says. It also throws FileError when counts or image sizes
/// disagree or are 0, and when a label is not below kMnistClasses.
Mnist load_mnist(const std::string& directory, const IdxOptions& options = {});

/// Every path that load_mnist() may read for this directory, whether a file is there or not.
std::vector<std::string> mnist_paths(const std::string& directory);

/// The first 5,000 training and the first 1,000 test images of MNIST, which are part of this library
/// (layers/data/embedded).
Mnist embedded_mnist();

}  // namespace adjoint

// A directory of files of any kind and with any of the names that MNIST's files have: refused with a
// FileError, or loaded as consistent data.

#include "adjoint/data/mnist.h"

#include <algorithm>
#include <fuzzer/FuzzedDataProvider.h>
#include <utility>

#include "tests/fuzz/require.h"
#include "tests/support/files.h"

using namespace adjoint;
using fuzz::require;
namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

namespace {

/// A file of images (axes 3) or labels (1), or of any bytes.
Bytes any_file(FuzzedDataProvider& choices, std::size_t axes) {
  constexpr std::uint32_t kMostSize = 6;
  if (choices.ConsumeIntegralInRange(0, 7) == 0) return choices.ConsumeBytes<std::uint8_t>(20);
  if (choices.ConsumeIntegralInRange(0, 7) == 0) axes = 4 - axes;
  std::vector<std::uint32_t> sizes;
  std::size_t count = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    sizes.push_back(choices.ConsumeIntegralInRange(0u, kMostSize));
    count *= sizes.back();
  }
  Bytes values(count, choices.ConsumeIntegralInRange<std::uint8_t>(0, 10));
  if (choices.ConsumeIntegralInRange(0, 7) == 0) values.push_back(0);
  const Bytes plain = support::idx_bytes(sizes, values);
  return choices.ConsumeBool() ? support::gzip(plain) : plain;
}

std::string any_name(FuzzedDataProvider& choices, const std::string& stem, std::size_t axes) {
  return stem + choices.PickValueInArray({"-", "."}) + "idx" + std::to_string(axes) + "-ubyte" +
         choices.PickValueInArray({"", ".gz"});
}

void require_consistent(const LabeledImages& data) {
  require(data.count > 0 && data.height > 0 && data.width > 0, "there are images");
  require(std::cmp_equal(data.images.size(), data.count * data.height * data.width), "every pixel is there");
  require(std::cmp_equal(data.labels.size(), data.count), "every label is there");
  require(std::ranges::all_of(data.labels, [](int label) { return label < kMnistClasses; }),
          "labels are classes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const support::TemporaryDirectory place;
  FuzzedDataProvider choices(data, size);
  const fs::path directory = place.path() / "data";
  fs::remove_all(directory);
  fs::create_directory(directory);
  const fs::path below = choices.PickValueInArray({"", "raw", "MNIST/raw", "other"});
  for (const char* stem : {"train-images", "train-labels", "t10k-images", "t10k-labels"}) {
    const std::size_t axes = std::string_view(stem).ends_with("images") ? 3 : 1;
    for (int copies = choices.ConsumeIntegralInRange(0, 8) < 7 ? 1 : choices.ConsumeIntegralInRange(0, 2);
         copies > 0; --copies) {
      fs::path path = directory / below / any_name(choices, stem, axes);
      if (choices.ConsumeBool()) path /= any_name(choices, stem, axes);
      const Bytes bytes = any_file(choices, axes);
      std::error_code error;  // a second file may be in the way of the first one's folder, or the reverse
      fs::create_directories(path.parent_path(), error);
      if (!error && !fs::is_directory(path)) support::write_file(path, bytes);
    }
  }
  try {
    const Mnist mnist = load_mnist(directory);
    require_consistent(mnist.train);
    require_consistent(mnist.test);
    require(mnist.train.height == mnist.test.height && mnist.train.width == mnist.test.width,
            "training and test images are of one size");
  } catch (const FileError& error) {
    constexpr std::size_t kLine = 400;
    const std::string_view text = error.what();
    require(text.find(directory.string()) != text.npos, "the error names a file");
    require(text.size() <= 2 * directory.string().size() + kLine, "the error is no longer than a line");
  }
  return 0;
}

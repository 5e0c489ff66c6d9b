#include "adjoint/data/mnist.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/core.h>
#include <span>
#include <string_view>
#include <utility>

#include "adjoint/tensor/check.h"
#include "layers/data/embedded/embedded.h"
#include "layers/io/file.h"
#include "layers/io/quote.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

/// An IDX file that was read, and its name in messages.
struct NamedFile {
  std::string name;
  IdxFile content;
};

void check_rank(const NamedFile& file, std::size_t rank, const char* what) {
  const auto& sizes = file.content.sizes;
  check<FileError>(sizes.size() == rank, "{}: {}, but this file's sizes are {}", file.name, what,
                   QuotedSizes(sizes));
}

/// Images [count,height,width] with their labels [count].
LabeledImages pair_up(NamedFile images, NamedFile labels) {
  check_rank(images, 3, "images have 3 sizes (count, height, width)");
  check_rank(labels, 1, "labels have 1 size (count)");
  const auto& sizes = images.content.sizes;
  const std::int64_t label_count = labels.content.sizes[0];
  check<FileError>(sizes[0] == label_count,
                   "there must be a label for each image, but {} holds {} images and {} holds {} labels",
                   images.name, sizes[0], labels.name, label_count);
  check<FileError>(!images.content.values.empty(),
                   "{}: there must be at least one image of one pixel, but the sizes are {}", images.name,
                   QuotedSizes(sizes));
  const auto& values = labels.content.values;
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](int label) { return label >= kMnistClasses; });
  check<FileError>(wrong == values.end(), "{}: labels must be 0 to {}, but label {} is {}", labels.name,
                   kMnistClasses - 1, wrong - values.begin(), wrong == values.end() ? 0 : *wrong);
  return {.count = sizes[0],
          .height = sizes[1],
          .width = sizes[2],
          .images = std::move(images.content.values),
          .labels = std::move(labels.content.values)};
}

/// Both sets, with a line that says where they come from.
Mnist join(LabeledImages train, LabeledImages test, std::string_view origin) {
  check<FileError>(train.height == test.height && train.width == test.width,
                   "{}: training and test images must be of one size, but are {}x{} and {}x{}", origin,
                   train.height, train.width, test.height, test.width);
  auto source = fmt::format("{} training and {} test images of {}x{} from {}", train.count, test.count,
                            train.height, train.width, origin);
  return {std::move(train), std::move(test), std::move(source)};
}

/// The possible names of the file that begins with stem (train-images, ..., t10k-labels).
std::array<std::string, 4> spellings(std::string_view stem) {
  const int rank = stem.ends_with("images") ? 3 : 1;
  const auto name = [&](char separator) { return fmt::format("{}{}idx{}-ubyte", stem, separator, rank); };
  return {name('-'), name('.'), name('-') + ".gz", name('.') + ".gz"};
}

/// Where the file may lie: in directory, or in a folder there with a name of the file itself, as some
/// archives unpack. The first path that exists is taken.
std::vector<fs::path> candidates(const fs::path& directory, std::string_view stem) {
  const auto names = spellings(stem);
  std::vector<fs::path> paths(names.begin(), names.end());
  for (const std::string& folder : names) {
    for (const std::string& name : names) paths.push_back(fs::path(folder) / name);
  }
  for (fs::path& path : paths) path = directory / path;
  return paths;
}

/// The first of the candidates that exists and is not a directory, or an empty path.
fs::path find_file(const fs::path& directory, std::string_view stem) {
  for (const fs::path& path : candidates(directory, stem)) {
    std::error_code error;  // a file that cannot be looked at counts as found; reading it gives the reason
    const fs::file_type type = fs::status(path, error).type();
    if (type != fs::file_type::not_found && type != fs::file_type::directory) return path;
  }
  return {};
}

constexpr std::array kStems = {"train-images", "train-labels", "t10k-images", "t10k-labels"};

/// Where the files may lie together. The first place that holds any of them is taken.
std::array<fs::path, 3> places(const fs::path& directory) {
  return {directory, directory / "raw", directory / "MNIST" / "raw"};
}

fs::path find_place(const fs::path& directory) {
  for (const fs::path& place : places(directory)) {
    if (std::ranges::any_of(kStems, [&](auto stem) { return !find_file(place, stem).empty(); })) return place;
  }
  throw FileError(fmt::format(
      "{}: must hold train-images-idx3-ubyte and the other three MNIST files, plain or .gz, itself or in "
      "raw or MNIST/raw below it, each maybe in a folder of its name, but holds none of them",
      directory.string()));
}

}  // namespace

std::vector<std::string> mnist_paths(const std::string& directory) {
  std::vector<std::string> paths;
  for (const fs::path& place : places(directory)) {
    for (const char* stem : kStems) {
      for (const fs::path& path : candidates(place, stem)) paths.push_back(path.string());
    }
  }
  return paths;
}

Mnist load_mnist(const std::string& directory, const IdxOptions& options) {
  check<FileError>(exists_as(fs::file_type::directory, directory, "read"), "{}: no such directory",
                   directory);
  const fs::path place = find_place(directory);
  const auto open = [&](const char* stem) {
    const auto path = find_file(place, stem);
    check<FileError>(!path.empty(), "{}: the file {}-idx{}-ubyte, plain or .gz, is missing", place.string(),
                     stem, std::string_view(stem).ends_with("images") ? 3 : 1);
    return NamedFile{path.string(), read_idx(path, options)};
  };
  return join(pair_up(open(kStems[0]), open(kStems[1])), pair_up(open(kStems[2]), open(kStems[3])),
              place.string());
}

Mnist embedded_mnist() {
  const auto files = embedded_files();
  const auto open = [](std::span<const std::uint8_t> bytes, const char* stem) {
    const auto name = fmt::format("embedded {}", stem);
    return NamedFile{name, read_idx(bytes, name)};
  };
  return join(pair_up(open(files.train_images, kStems[0]), open(files.train_labels, kStems[1])),
              pair_up(open(files.test_images, kStems[2]), open(files.test_labels, kStems[3])),
              "the embedded MNIST subset");
}

}  // namespace adjoint

// MNIST: the embedded subset, the usual directory layouts, and the errors for wrong directories.

#include "adjoint/data/mnist.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <span>

#include "tests/support/files.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;
using namespace support;
using Pixels = std::span<const std::uint8_t>;

Bytes counting(std::size_t count) {
  Bytes values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<std::uint8_t>(i));
  return values;
}

/// Images [count,height,width] whose pixels count up from 0.
Bytes images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  return idx_bytes({count, height, width}, counting(std::size_t{count} * height * width));
}
/// Labels 0, 1, ... count-1.
Bytes labels(std::uint32_t count) { return idx_bytes({count}, counting(count)); }

/// A directory with three training and two test images of 2x5 pixels; each test damages or moves some of the
/// files.
class MnistDirectory : public ::testing::Test {
 protected:
  MnistDirectory() {
    write("train-images-idx3-ubyte", images(3, 2, 5));
    write("train-labels-idx1-ubyte", labels(3));
    write("t10k-images-idx3-ubyte", images(2, 2, 5));
    write("t10k-labels-idx1-ubyte", labels(2));
  }

  fs::path path(const std::string& name) const { return directory_.path() / name; }
  void write(const std::string& name, const Bytes& bytes) const { write_file(path(name), bytes); }

  void expect_loads(const fs::path& from, const fs::path& place) const {
    const auto mnist = load_mnist(from);
    EXPECT_EQ(mnist.train.count, 3);
    EXPECT_EQ(mnist.train.height, 2);
    EXPECT_EQ(mnist.train.width, 5);
    EXPECT_EQ(mnist.train.images, counting(30));
    EXPECT_EQ(mnist.train.labels, counting(3));
    EXPECT_EQ(mnist.test.count, 2);
    EXPECT_EQ(mnist.test.images, counting(20));
    EXPECT_EQ(mnist.test.labels, counting(2));
    EXPECT_EQ(mnist.source, "3 training and 2 test images of 2x5 from " + place.string());
  }

  /// Loading fails with the directory's name and this text.
  void expect_refused(const std::string& message) const {
    expect_error<FileError>(directory_.path().string() + message, [&] { load_mnist(directory_.path()); });
  }

  /// Moves the four files to another directory below this one.
  void move_to(const fs::path& below) const {
    fs::create_directories(path(below));
    for (const std::string stem :
         {"train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"}) {
      fs::rename(path(stem + "-ubyte"), path(below / (stem + "-ubyte")));
    }
  }

  TemporaryDirectory directory_;
};

TEST_F(MnistDirectory, PlainFiles) { expect_loads(directory_.path(), directory_.path()); }

TEST_F(MnistDirectory, GzipAndNamesWithADot) {
  fs::remove(path("train-images-idx3-ubyte"));
  fs::remove(path("train-labels-idx1-ubyte"));
  fs::remove(path("t10k-labels-idx1-ubyte"));
  write("train-images-idx3-ubyte.gz", gzip(images(3, 2, 5)));
  write("train-labels.idx1-ubyte", labels(3));
  write("t10k-labels.idx1-ubyte.gz", gzip(labels(2)));
  expect_loads(directory_.path(), directory_.path());
}

TEST_F(MnistDirectory, TorchvisionsLayout) {
  move_to("MNIST/raw");
  expect_loads(directory_.path(), path("MNIST/raw"));
  expect_loads(path("MNIST"), path("MNIST/raw"));
  expect_loads(path("MNIST/raw"), path("MNIST/raw"));
}

TEST_F(MnistDirectory, FilesInFoldersOfTheirNames) {
  // As it was packed, with a dot outside, zipped inside, in a folder of .gz.
  move_to("around");
  fs::create_directories(path("train-images-idx3-ubyte"));
  fs::rename(path("around/train-images-idx3-ubyte"), path("train-images-idx3-ubyte/train-images-idx3-ubyte"));
  fs::create_directories(path("train-labels.idx1-ubyte"));
  fs::rename(path("around/train-labels-idx1-ubyte"), path("train-labels.idx1-ubyte/train-labels-idx1-ubyte"));
  write("t10k-images-idx3-ubyte/t10k-images.idx3-ubyte.gz", gzip(images(2, 2, 5)));
  write("t10k-labels-idx1-ubyte.gz/t10k-labels.idx1-ubyte", labels(2));
  expect_loads(directory_.path(), directory_.path());
}

TEST_F(MnistDirectory, FoldersBesideTheFiles) {
  fs::rename(path("train-images-idx3-ubyte"), path("train-images.idx3-ubyte"));
  fs::create_directory(path("train-images-idx3-ubyte"));
  fs::rename(path("t10k-labels-idx1-ubyte"), path("t10k-labels.idx1-ubyte"));
  write("t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte", labels(7));
  expect_loads(directory_.path(), directory_.path());
}

TEST_F(MnistDirectory, EveryPathThatMayBeReadIsListed) {
  const std::vector<std::string> paths = mnist_paths(path("all").string());
  EXPECT_EQ(paths.size(), 3 * 4 * (4 + 4 * 4)) << "places, files, spellings, spellings in folders";
  EXPECT_EQ(std::set(paths.begin(), paths.end()).size(), paths.size());
  for (const std::string& listed : paths) {
    fs::remove_all(path("all"));
    write_file(listed, labels(1));
    const std::string error = error_of<FileError>([&] { load_mnist(path("all")); });
    EXPECT_NE(error, "no error") << "three files are missing";
    EXPECT_EQ(error.find("holds none of them"), error.npos) << listed;
  }
}

TEST_F(MnistDirectory, TheBoundHoldsForEachFile) {
  EXPECT_EQ(load_mnist(directory_.path(), {.max_bytes = 30}).train.count, 3);
  EXPECT_THROW(load_mnist(directory_.path(), {.max_bytes = 29}), FileError);
}

TEST_F(MnistDirectory, NothingThere) {
  move_to("elsewhere");
  expect_refused(
      ": must hold train-images-idx3-ubyte and the other three MNIST files, plain or .gz, itself or in raw "
      "or MNIST/raw below it, each maybe in a folder of its name, but holds none of them");
}

TEST_F(MnistDirectory, OneFileMissing) {
  fs::remove(path("t10k-labels-idx1-ubyte"));
  expect_refused(": the file t10k-labels-idx1-ubyte, plain or .gz, is missing");
}

TEST_F(MnistDirectory, MissingOrNotADirectory) {
  const auto expect = [](const fs::path& directory, const std::string& message) {
    expect_error<FileError>(directory.string() + message, [&] { load_mnist(directory); });
  };
  expect(path("none"), ": no such directory");
  expect(path("train-images-idx3-ubyte"), ": must be a directory, but is a regular file");
  expect("/dev/null", ": must be a directory, but is a device, a pipe or a socket");
  expect(std::string(300, 'x'), ": cannot be read: File name too long");
}

TEST(LoadMnist, RefusesWhatIsNoPath) {
  for (const std::string& nowhere : {std::string(), std::string("/tmp\0x", 6)}) {
    expect_error<FileError>("a path that is empty or holds a zero byte cannot be read",
                            [&] { load_mnist(nowhere); });
  }
}

TEST_F(MnistDirectory, FileThatIsADirectory) {
  fs::remove(path("train-labels-idx1-ubyte"));
  fs::create_directory(path("train-labels-idx1-ubyte"));
  expect_refused(": the file train-labels-idx1-ubyte, plain or .gz, is missing");
}

TEST_F(MnistDirectory, LabelsWhereImagesAreExpected) {
  write("train-images-idx3-ubyte", labels(3));
  expect_refused(
      "/train-images-idx3-ubyte: images have 3 sizes (count, height, width), but this file's sizes are [3]");
}

TEST_F(MnistDirectory, ImagesWhereLabelsAreExpected) {
  write("t10k-labels-idx1-ubyte", images(2, 2, 5));
  expect_refused("/t10k-labels-idx1-ubyte: labels have 1 size (count), but this file's sizes are [2,2,5]");
}

TEST_F(MnistDirectory, CountsThatDiffer) {
  write("train-labels-idx1-ubyte", labels(2));
  expect_error<FileError>("there must be a label for each image, but " +
                              path("train-images-idx3-ubyte").string() + " holds 3 images and " +
                              path("train-labels-idx1-ubyte").string() + " holds 2 labels",
                          [&] { load_mnist(directory_.path()); });
}

TEST_F(MnistDirectory, ImageSizesThatDiffer) {
  write("t10k-images-idx3-ubyte", images(2, 5, 2));
  expect_refused(": training and test images must be of one size, but are 2x5 and 5x2");
  write("t10k-images-idx3-ubyte", images(2, 2, 6));
  expect_refused(": training and test images must be of one size, but are 2x5 and 2x6");
  write("t10k-images-idx3-ubyte", images(2, 3, 5));
  expect_refused(": training and test images must be of one size, but are 2x5 and 3x5");
}

TEST_F(MnistDirectory, LabelsOutOfRange) {
  write("train-labels-idx1-ubyte", idx_bytes({3}, Bytes{9, 0, 10}));
  expect_refused("/train-labels-idx1-ubyte: labels must be 0 to 9, but label 2 is 10");
}

TEST_F(MnistDirectory, NoImagesOrNoPixels) {
  write("train-images-idx3-ubyte", images(3, 0, 5));
  expect_refused(
      "/train-images-idx3-ubyte: there must be at least one image of one pixel, but the sizes are [3,0,5]");
  write("train-images-idx3-ubyte", images(0, 2, 5));
  write("train-labels-idx1-ubyte", labels(0));
  expect_refused(
      "/train-images-idx3-ubyte: there must be at least one image of one pixel, but the sizes are [0,2,5]");
}

TEST_F(MnistDirectory, BrokenFileIsNamed) {
  auto bytes = gzip(images(3, 2, 5));
  bytes.resize(bytes.size() - 9);
  fs::remove(path("train-images-idx3-ubyte"));
  write("train-images-idx3-ubyte.gz", bytes);
  expect_refused(
      "/train-images-idx3-ubyte.gz: truncated gzip data: the file ends after 53 bytes, before the "
      "gzip trailer");
}

TEST(EmbeddedMnist, IsTheBeginningOfMnist) {
  constexpr std::size_t kImageSize = std::size_t{28} * 28;
  const auto mnist = embedded_mnist();
  EXPECT_EQ(mnist.source, "5000 training and 1000 test images of 28x28 from the embedded MNIST subset");
  EXPECT_EQ(mnist.train.count, 5000);
  EXPECT_EQ(mnist.train.images.size(), 5000 * kImageSize);
  EXPECT_EQ(mnist.test.count, 1000);
  EXPECT_EQ(mnist.test.images.size(), 1000 * kImageSize);

  const auto ten = [](const Bytes& labels) { return Bytes(labels.begin(), labels.begin() + 10); };
  EXPECT_EQ(ten(mnist.train.labels), (Bytes{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}));
  EXPECT_EQ(ten(mnist.test.labels), (Bytes{7, 2, 1, 0, 4, 1, 4, 9, 5, 9}));
  for (std::uint8_t digit = 0; digit < kMnistClasses; ++digit)
    EXPECT_GT(std::ranges::count(mnist.train.labels, digit), 400);

  const auto sum = [](Pixels pixels) {
    return std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0});
  };
  EXPECT_EQ(sum(Pixels(mnist.train.images).first(kImageSize)), 27525);
  EXPECT_EQ(sum(mnist.train.images), 130170281);
  EXPECT_EQ(sum(Pixels(mnist.test.images).first(kImageSize)), 18454);
  EXPECT_EQ(sum(mnist.test.images), 24443134);
}

}  // namespace
}  // namespace adjoint

#include "autograd/ops/support/layout_policy.h"

#include <gtest/gtest.h>

#include "adjoint/data/batches.h"
#include "adjoint/data/mnist.h"
#include "adjoint/ops/convolution.h"
#include "adjoint/tensor/create.h"

namespace adjoint {
namespace {

/// The layout of a convolution's result.
Layout of_conv2d(DType dtype, std::int64_t images, std::int64_t maps, std::int64_t stride = 1) {
  const Tensor x = zeros({images, 1, 7, 7}, {.dtype = dtype}), w = zeros({maps, 1, 3, 3}, {.dtype = dtype});
  return conv2d(x, w, {.stride = stride}).values().cheapest_layout();
}

TEST(LayoutPolicy, ConvolutionsInterleaveImagesThatFillTheirBlocks) {
  EXPECT_EQ(of_conv2d(float32, 1, 4), Layout::row_major);
  EXPECT_EQ(of_conv2d(float32, 10, 8), Layout::row_major);
  EXPECT_EQ(of_conv2d(float32, 11, 8), Layout::interleaved);
  EXPECT_EQ(of_conv2d(float32, 14, 9), Layout::row_major);
  EXPECT_EQ(of_conv2d(float32, 15, 9), Layout::interleaved);
  EXPECT_EQ(of_conv2d(float32, 12, 16, 2), Layout::row_major);
  EXPECT_EQ(of_conv2d(float32, 13, 16, 2), Layout::interleaved);
  EXPECT_EQ(of_conv2d(float32, 17, 4), Layout::row_major);
  EXPECT_EQ(of_conv2d(float64, 8, 16), Layout::interleaved);
  EXPECT_EQ(of_conv2d(float64, 9, 16), Layout::row_major);
}

// So that no convolution converts them back. With 12 images and 16 maps, one would.
TEST(LayoutPolicy, BatchesAreInterleavedWhereEveryConvolutionIs) {
  const Mnist mnist = embedded_mnist();
  for (const auto& [images, layout] : {std::pair<std::int64_t, Layout>{1, Layout::row_major},
                                       {12, Layout::row_major},
                                       {15, Layout::interleaved},
                                       {32, Layout::interleaved},
                                       {33, Layout::row_major}}) {
    Batches batches(mnist.train, {.batch_size = images});
    const auto [image, label] = *batches.begin();
    EXPECT_EQ(image.values().cheapest_layout(), layout) << images;
    EXPECT_EQ(of_conv2d(float32, images, 16), layout) << images;
  }
}

TEST(LayoutPolicy, RowMajorArgumentsGiveRowMajorResults) {
  const Values row_major = zeros({32, 3}).values();
  Values interleaved(float32, {32, 3}, Layout::interleaved);
  EXPECT_EQ(ops::common_layout(row_major, row_major), Layout::row_major);
  EXPECT_EQ(ops::common_layout(row_major, interleaved), Layout::interleaved);
  EXPECT_EQ(ops::layout_from(interleaved, {32, 1}), Layout::interleaved);
  EXPECT_EQ(ops::layout_from(interleaved, {1, 3}), Layout::row_major);
  EXPECT_EQ(ops::layout_from(row_major, interleaved, {32, 3}), Layout::interleaved);
  EXPECT_EQ(ops::layout_along(0, interleaved), Layout::row_major);
  EXPECT_EQ(ops::layout_along(1, row_major, interleaved), Layout::interleaved);
}

}  // namespace
}  // namespace adjoint

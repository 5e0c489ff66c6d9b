#include <gtest/gtest.h>
#include <sstream>

#include "autograd/create.h"
#include "autograd/ops/arithmetic.h"

namespace adjoint {
namespace {

TEST(Print, ShowsShapeDtypeAndValues) {
  EXPECT_EQ(to_string(tensor({1, 2.5, -3, 4, 5, 6e9}, {2, 3})),
            "tensor [2,3] float32\n[[1, 2.5, -3],\n [4, 5, 6e+09]]");
  EXPECT_EQ(to_string(scalar(0.1, {.dtype = float64})), "tensor [] float64\n0.1");
  EXPECT_EQ(to_string(arange(3)), "tensor [3] int64\n[0, 1, 2]");
}

TEST(Print, ElidesTheMiddleOfLongAxes) {
  EXPECT_EQ(to_string(arange(100)), "tensor [100] int64\n[0, 1, 2, ..., 97, 98, 99]");
  const std::string matrix = to_string(zeros({1000, 1000}));
  EXPECT_LT(matrix.size(), 300u);
}

TEST(Print, ShowsWhereItComesFrom) {
  Tensor w = ones({2}, {.requires_grad = true});
  EXPECT_EQ(to_string(w), "tensor [2] float32 requires_grad\n[1, 1]");
  w.set_name("conv1.weight");
  EXPECT_EQ(to_string(w), "tensor [2] float32 requires_grad conv1.weight\n[1, 1]");
  EXPECT_EQ(to_string(w + w), "tensor [2] float32 from add\n[2, 2]");
}

TEST(Print, EmptyAndUndefined) {
  EXPECT_EQ(to_string(zeros({2, 0})), "tensor [2,0] float32\n[[],\n []]");
  EXPECT_EQ(to_string(Tensor()), "undefined tensor");
  std::ostringstream stream;
  stream << scalar(1);
  EXPECT_EQ(stream.str(), "tensor [] float32\n1");
}

}  // namespace
}  // namespace adjoint

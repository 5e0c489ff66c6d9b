#include "autograd/ops/elementwise/accumulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"

namespace adjoint {
namespace {

using testing::ElementsAre;

TEST(Accumulate, AddsInPlaceOnlyWhereNobodyElseLooks) {
  const NoGrad no_grad;
  Tensor total = tensor({1, 2});
  const float* memory = total.data<float>().data();
  accumulate(total, tensor({10, 20}));
  EXPECT_THAT(total.data<float>(), ElementsAre(11, 22));
  EXPECT_EQ(total.data<float>().data(), memory);

  const Tensor handle = total;
  accumulate(total, tensor({1, 1}));
  EXPECT_THAT(total.data<float>(), ElementsAre(12, 23));
  EXPECT_THAT(handle.data<float>(), ElementsAre(11, 22));

  const Tensor shares_memory = total.detach();
  accumulate(total, tensor({1, 1}));
  EXPECT_THAT(total.data<float>(), ElementsAre(13, 24));
  EXPECT_THAT(shares_memory.data<float>(), ElementsAre(12, 23));
}

TEST(Accumulate, MayAddATensorToItself) {
  Tensor total = tensor({1, 2});
  accumulate(total, total);
  EXPECT_THAT(total.data<float>(), ElementsAre(2, 4));
}

TEST(Accumulate, IsRecordedWhileRecording) {
  const Tensor a = tensor({1}, {.requires_grad = true}), b = tensor({2}, {.requires_grad = true});
  Tensor total = a * 3.0;
  accumulate(total, b * 5.0);
  total.backward();
  EXPECT_EQ(a.grad().item(), 3);
  EXPECT_EQ(b.grad().item(), 5);
}

}  // namespace
}  // namespace adjoint

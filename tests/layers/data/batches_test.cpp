// Batches: contents, sizes, orders, and what is refused.

#include "adjoint/data/batches.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>

#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;
using Numbers = std::vector<double>;

/// count images of 2x3 whose pixel k is 7 n + k (modulo 256) and whose label is n (modulo 256).
LabeledImages images(std::int64_t count) {
  LabeledImages data{.count = count, .height = 2, .width = 3, .images = {}, .labels = {}};
  for (std::int64_t n = 0; n < count; ++n) {
    for (std::int64_t k = 0; k < 6; ++k) data.images.push_back(static_cast<std::uint8_t>(7 * n + k));
    data.labels.push_back(static_cast<std::uint8_t>(n));
  }
  return data;
}

/// The labels of an epoch, batch after batch.
Numbers epoch(Batches& batches) {
  Numbers labels;
  for (const auto& [image, label] : batches) {
    const Numbers part = numbers(label);
    labels.insert(labels.end(), part.begin(), part.end());
  }
  return labels;
}

std::vector<std::int64_t> sizes(Batches& batches) {
  std::vector<std::int64_t> result;
  for (const auto& [image, label] : batches) result.push_back(label.size(0));
  return result;
}

Numbers first(std::int64_t count) {
  Numbers numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

Numbers sorted(Numbers numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

/// Every image beside its label, its pixels from 0 to 1.
void expect_contents(const LabeledImages& data, const BatchesOptions& options) {
  Batches batches(data, options);
  for (const auto& [image, label] : batches) {
    ASSERT_EQ(image.shape(), (Shape{label.size(0), 1, 2, 3}));
    ASSERT_EQ(image.dtype(), options.dtype);
    ASSERT_EQ(label.dtype(), int64);
    Numbers expected;
    for (const double n : numbers(label)) {
      for (int k = 0; k < 6; ++k) {
        const double pixel = data.images[static_cast<std::size_t>(6 * n + k)] / 255.0;
        expected.push_back(options.dtype == float32 ? static_cast<float>(pixel) : pixel);
      }
    }
    support::expect_close(image, expected, options.dtype == float32 ? 1e-7 : 1e-15);
    EXPECT_TRUE(std::ranges::all_of(numbers(image), [](double pixel) { return pixel >= 0 && pixel <= 1; }));
  }
}

TEST(Batches, HoldTheImagesOfTheirLabels) {
  const LabeledImages data = images(200);
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t batch_size : {1, 3, 4, 7, 8, 16, 17, 64, 200}) {
      for (const bool shuffle : {false, true})
        expect_contents(data, {.batch_size = batch_size, .shuffle = shuffle, .dtype = dtype});
    }
  }
}

TEST(Batches, FullInkIsOne) {
  LabeledImages data{.count = 1, .height = 1, .width = 2, .images = {255, 0}, .labels = {3}};
  for (const DType dtype : {float32, float64}) {
    Batches batches(data, {.dtype = dtype});
    EXPECT_EQ(numbers((*batches.begin()).image), (Numbers{1, 0}));
  }
}

TEST(Batches, TheLastOneIsSmaller) {
  const LabeledImages data = images(10);
  Batches batches(data, {.batch_size = 4});
  EXPECT_EQ(sizes(batches), (std::vector<std::int64_t>{4, 4, 2}));
  EXPECT_EQ(batches.size(), 3);
  EXPECT_EQ(batches.examples(), 10);
  EXPECT_EQ(epoch(batches), first(10));
}

TEST(Batches, PartsMakeUpTheBatch) {
  const LabeledImages data = images(40);
  for (const std::int64_t most : {1, 3, 4, 15, 16, 17, 1000}) {
    Batches batches(data, {.batch_size = 16, .shuffle = true});
    for (auto batch = batches.begin(); batch != batches.end(); ++batch) {
      const auto [image, label] = *batch;
      ASSERT_EQ(batch.size(), label.size(0));
      Numbers pixels, labels;
      for (std::int64_t i = 0; i < batch.parts(most); ++i) {
        const auto [part_image, part_label] = batch.part(i, most);
        const bool last = i == batch.parts(most) - 1;
        ASSERT_EQ(part_label.size(0), last ? batch.size() - i * most : most);
        ASSERT_GT(part_label.size(0), 0);
        std::ranges::copy(numbers(part_image), std::back_inserter(pixels));
        std::ranges::copy(numbers(part_label), std::back_inserter(labels));
      }
      EXPECT_EQ(pixels, numbers(image)) << "parts of " << most;
      EXPECT_EQ(labels, numbers(label)) << "parts of " << most;
    }
  }
}

TEST(Batches, TheLastOneCanBeDropped) {
  const LabeledImages data = images(10);
  Batches batches(data, {.batch_size = 4, .shuffle = true, .drop_last = true});
  EXPECT_EQ(sizes(batches), (std::vector<std::int64_t>{4, 4}));
  EXPECT_EQ(batches.examples(), 8);
  std::set<double> seen;
  for (int k = 0; k < 20; ++k) {
    for (const double label : epoch(batches)) seen.insert(label);
  }
  EXPECT_EQ(seen.size(), 10u) << "other images are left out in other epochs";
  Batches even(data, {.batch_size = 5, .drop_last = true});
  EXPECT_EQ(sizes(even), (std::vector<std::int64_t>{5, 5}));
}

TEST(Batches, OneBatchTakesAllThereIs) {
  const LabeledImages data = images(10);
  for (const std::int64_t size :
       {std::int64_t{10}, std::int64_t{1000}, std::numeric_limits<std::int64_t>::max()}) {
    Batches batches(data, {.batch_size = size});
    EXPECT_EQ(batches.size(), 1);
    EXPECT_EQ(sizes(batches), std::vector<std::int64_t>{10});
  }
}

TEST(Batches, TheLimitTakesTheFirst) {
  const LabeledImages data = images(10);
  Batches limited(data, {.batch_size = 4, .shuffle = true, .limit = 7});
  EXPECT_EQ(limited.examples(), 7);
  EXPECT_EQ(sorted(epoch(limited)), first(7));
  Batches generous(data, {.limit = 11});
  EXPECT_EQ(epoch(generous), first(10));
}

TEST(Batches, OrdersArePermutationsNewEveryEpoch) {
  const LabeledImages data = images(100);
  Batches batches(data, {.shuffle = true});
  std::set<Numbers> orders{first(100)};
  for (int k = 0; k < 10; ++k) {
    const Numbers order = epoch(batches);
    EXPECT_EQ(sorted(order), first(100));
    EXPECT_TRUE(orders.insert(order).second) << "epoch " << k << " repeats an order";
  }
}

TEST(Batches, OrdersDependOnSeedAndEpochAlone) {
  const LabeledImages data = images(100);
  Batches batches(data, {.batch_size = 10, .shuffle = true, .seed = 5});
  Batches again(data, {.batch_size = 33, .shuffle = true, .seed = 5, .dtype = float64});
  Batches other(data, {.shuffle = true, .seed = 6});
  std::vector<Numbers> orders, others;
  for (int k = 0; k < 3; ++k) {
    orders.push_back(epoch(batches));
    others.push_back(epoch(other));
    EXPECT_EQ(epoch(again), orders.back());
  }
  for (const Numbers& order : others) EXPECT_EQ(std::ranges::count(orders, order), 0);

  batches.begin();  // epoch 3, left at its start
  batches.set_epoch(1);
  EXPECT_EQ(epoch(batches), orders[1]);
  EXPECT_EQ(epoch(batches), orders[2]);
}

TEST(Batches, EveryImageGoesEverywhere) {
  const LabeledImages data = images(5);
  Batches batches(data, {.shuffle = true});
  constexpr int kEpochs = 2000;
  int counts[5][5] = {};
  for (int k = 0; k < kEpochs; ++k) {
    const Numbers order = epoch(batches);
    for (std::size_t place = 0; place < 5; ++place) ++counts[static_cast<int>(order[place])][place];
  }
  for (const auto& places : counts) {
    for (const int count : places) EXPECT_NEAR(count, kEpochs / 5.0, 90);  // five deviations
  }
}

TEST(Batches, ReadingAgainGivesTheSameBatch) {
  const LabeledImages data = images(20);
  Batches batches(data, {.batch_size = 3, .shuffle = true});
  auto iterator = batches.begin();
  iterator++;
  ++iterator;
  const Batch once = *iterator, twice = *iterator;
  EXPECT_EQ(numbers(once.label), numbers(twice.label));
  EXPECT_EQ(numbers(once.image), numbers(twice.image));
}

TEST(Batches, Refuse) {
  const LabeledImages none, ten = images(10);
  const auto make = [](const LabeledImages& data, BatchesOptions options) {
    return [=, &data] { Batches(data, options); };
  };
  expect_error<Error>("Batches: there must be an image, the data set is empty", make(none, {}));
  expect_error<Error>("Batches: batch_size must be at least 1, it is 0", make(ten, {.batch_size = 0}));
  expect_error<Error>("Batches: batch_size must be at least 1, it is -3", make(ten, {.batch_size = -3}));
  expect_error<Error>("Batches: limit must be at least 1, it is 0", make(ten, {.limit = 0}));
  expect_error<Error>("Batches: drop_last leaves nothing of 10 images with batch_size 11",
                      make(ten, {.batch_size = 11, .drop_last = true}));
  expect_error<Error>("Batches: drop_last leaves nothing of 3 images with batch_size 4",
                      make(ten, {.batch_size = 4, .drop_last = true, .limit = 3}));
  expect_error<DTypeError>("Batches: the dtype must be floating, it is int64", make(ten, {.dtype = int64}));

  LabeledImages torn = images(10);
  torn.images.pop_back();
  expect_error<Error>("Batches: 10 images of 2x3 must have 60 pixels and 10 labels, they have 59 and 10",
                      make(torn, {}));
  torn = images(10);
  torn.labels.push_back(0);
  expect_error<Error>("Batches: 10 images of 2x3 must have 60 pixels and 10 labels, they have 60 and 11",
                      make(torn, {}));

  Batches batches(ten, {.batch_size = 10});
  auto iterator = batches.begin();
  ++iterator;
  expect_error<Error>("Batches: batch 1 was asked for, there are 1", [&] { *iterator; });
  expect_error<Error>("Batches: batch 1 was asked for, there are 1", [&] { iterator.parts(2); });

  iterator = batches.begin();
  expect_error<Error>("Batches: most_images must be at least 1, it is 0", [&] { iterator.parts(0); });
  expect_error<Error>("Batches: most_images must be at least 1, it is -3", [&] { iterator.part(0, -3); });
  expect_error<Error>("Batches: part 3 of a batch was asked for, there are 3", [&] { iterator.part(3, 4); });
  expect_error<Error>("Batches: part -1 of a batch was asked for, there are 3",
                      [&] { iterator.part(-1, 4); });
}

}  // namespace
}  // namespace adjoint

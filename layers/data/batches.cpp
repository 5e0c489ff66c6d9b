#include "adjoint/data/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "adjoint/tensor/random.h"
#include "autograd/kernels/layout/convert.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint {
namespace {

void check_data(const LabeledImages& data) {
  check(data.count >= 1, "Batches: there must be an image, the data set is empty");
  const std::int64_t pixels = Shape{data.count, data.height, data.width}.numel();
  check(std::cmp_equal(data.images.size(), pixels) && std::cmp_equal(data.labels.size(), data.count),
        "Batches: {} images of {}x{} must have {} pixels and {} labels, they have {} and {}", data.count,
        data.height, data.width, pixels, data.count, data.images.size(), data.labels.size());
}

/// The number of images that an epoch uses, from the first on.
std::int64_t usable(const LabeledImages& data, const BatchesOptions& options) {
  check_data(data);
  check(options.batch_size >= 1, "Batches: batch_size must be at least 1, it is {}", options.batch_size);
  check<DTypeError>(is_floating(options.dtype), "Batches: the dtype must be floating, it is {}",
                    options.dtype);
  if (!options.limit) return data.count;
  check(*options.limit >= 1, "Batches: limit must be at least 1, it is {}", *options.limit);
  return std::min(*options.limit, data.count);
}

/// A generator for each epoch of a seed. Seeds are mixed first, so that neighboring ones share no orders.
Rng epoch_rng(std::uint64_t seed, std::uint64_t epoch) {
  Rng spread(seed);
  const std::uint64_t high = spread();
  return Rng((high << 32 | spread()) + epoch);
}

/// The pixels of the images with these indices, from 0 to 1, [B,1,H,W].
template <class T>
Values pixels(const LabeledImages& data, const std::int64_t* index, std::int64_t count) {
  const Layout layout = ops::layout_of_batch(dtype_of<T>, count);
  Values image(dtype_of<T>, {count, 1, data.height, data.width}, layout);
  kernels::gather_images(layout, data.images.data(), data.height * data.width, index, count,
                         image.writable<T>());
  return image;
}

}  // namespace

Batches::Batches(const LabeledImages& data, const BatchesOptions& options)
    : data_(data),
      options_(options),
      examples_(usable(data, options)),
      order_(static_cast<std::size_t>(examples_)) {
  if (options.drop_last) examples_ -= examples_ % options.batch_size;
  check(examples_ > 0, "Batches: drop_last leaves nothing of {} images with batch_size {}", order_.size(),
        options.batch_size);
}

Batches::Iterator Batches::begin() & {
  const std::uint64_t epoch = next_epoch_++;
  std::iota(order_.begin(), order_.end(), 0);
  if (options_.shuffle) epoch_rng(options_.seed, epoch).shuffle(order_);
  return Iterator(*this);
}

std::int64_t Batches::size_of(std::int64_t batch) const {
  check(batch < size(), "Batches: batch {} was asked for, there are {}", batch, size());
  return std::min(options_.batch_size, examples_ - batch * options_.batch_size);
}

Batch Batches::gather(std::int64_t batch, std::int64_t first, std::int64_t count) const {
  const std::int64_t* index = order_.data() + batch * options_.batch_size + first;

  Values label(DType::int64, {count});
  std::transform(index, index + count, label.writable<std::int64_t>(),
                 [&](std::int64_t i) { return data_.labels[static_cast<std::size_t>(i)]; });
  Values image = visit_floating(options_.dtype, [&]<class T>() { return pixels<T>(data_, index, count); });
  return {Tensor(std::move(image)), Tensor(std::move(label))};
}

std::int64_t Batches::Iterator::parts(std::int64_t most_images) const {
  check(most_images >= 1, "Batches: most_images must be at least 1, it is {}", most_images);
  return (size() - 1) / most_images + 1;
}

Batch Batches::Iterator::part(std::int64_t i, std::int64_t most_images) const {
  const std::int64_t there = parts(most_images);
  check(i >= 0 && i < there, "Batches: part {} of a batch was asked for, there are {}", i, there);
  const std::int64_t first = i * most_images;
  return batches_->gather(number_, first, std::min(most_images, size() - first));
}

}  // namespace adjoint

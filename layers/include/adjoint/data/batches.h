#pragma once
// Batches: labeled images as tensors, a few at a time, in a new order in every epoch.

#include <cstddef>
#include <iterator>
#include <optional>
#include <vector>

#include "adjoint/data/mnist.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct Batch {
  Tensor image;  ///< [B,1,H,W], 0 is background and 1 full ink
  Tensor label;  ///< int64 [B]
};

struct BatchesOptions {
  std::int64_t batch_size = 32;
  bool shuffle = false;
  std::uint64_t seed = 0;                  ///< For the order of the images.
  bool drop_last = false;                  ///< Leave out the last images when they do not fill a batch.
  std::optional<std::int64_t> limit = {};  ///< Use only the first `limit` images.
  DType dtype = DType::float32;            ///< The dtype of the images.
};

/// The batches of a data set, epoch after epoch: every begin() starts the next one.
///
///     Batches batches(mnist.train, {.batch_size = 64, .shuffle = true});
///     for (auto [image, label] : batches) { ... }
///
/// The order of epoch 0, 1, ... depends only on the seed and the number of the epoch.
class Batches {
 public:
  class Iterator;

  /// data is used in place and must outlive this. Throws Error when batch_size or limit is not positive, when
  /// data has no images or its numbers of pixels and labels do not match its sizes, and when drop_last would
  /// leave nothing; DTypeError unless the dtype is floating.
  explicit Batches(const LabeledImages& data, const BatchesOptions& options = {});
  explicit Batches(const LabeledImages&& data, const BatchesOptions& options = {}) = delete;

  /// Starts the next epoch. Iterators of the epoch before are no longer valid.
  Iterator begin() &;
  Iterator begin() && = delete;
  std::default_sentinel_t end() const { return {}; }
  /// Sets the number of the epoch that begin() starts next.
  void set_epoch(std::uint64_t epoch) { next_epoch_ = epoch; }

  /// The number of batches in an epoch.
  std::int64_t size() const { return (examples() - 1) / options_.batch_size + 1; }
  /// The number of images in an epoch.
  std::int64_t examples() const { return examples_; }

 private:
  std::int64_t size_of(std::int64_t batch) const;
  Batch gather(std::int64_t batch, std::int64_t first, std::int64_t count) const;

  const LabeledImages& data_;
  BatchesOptions options_;
  std::int64_t examples_;
  std::vector<std::int64_t> order_;  // Indices into data_; more than examples_ when the last are dropped.
  std::uint64_t next_epoch_ = 0;
};

/// An input iterator. Each * makes the batch again. Threads may call const functions at the same time.
class Batches::Iterator {
 public:
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;

  explicit Iterator(const Batches& batches) : batches_(&batches) {}
  explicit Iterator(const Batches&&) = delete;
  Batch operator*() const { return part(0, size()); }
  /// The number of images in the batch.
  std::int64_t size() const { return batches_->size_of(number_); }

  /// For backward_in_parts(): the number of parts when the batch is cut into parts of most_images images (the
  /// last may have fewer), and part i. Throw Error when most_images is not positive or there is no part i.
  std::int64_t parts(std::int64_t most_images) const;
  Batch part(std::int64_t i, std::int64_t most_images) const;

  Iterator& operator++() {
    ++number_;
    return *this;
  }
  void operator++(int) { ++number_; }
  bool operator==(std::default_sentinel_t) const { return number_ == batches_->size(); }

 private:
  const Batches* batches_;
  std::int64_t number_ = 0;
};

}  // namespace adjoint

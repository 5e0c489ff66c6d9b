#include "adjoint/tensor/values.h"

#include <cstring>
#include <new>
#include <utility>

#include "adjoint/tensor/check.h"
#include "autograd/kernels/layout/lanes.h"
#include "autograd/kernels/layout/layout.h"
#include "autograd/kernels/linalg/dense.h"

namespace adjoint {

Ref<Buffer> Buffer::allocate(std::size_t bytes) {
  return Ref<Buffer>(new (allocate_block(sizeof(Buffer) + bytes)) Buffer(bytes));
}

void Buffer::destroy(Buffer* buffer) noexcept {
  const std::size_t bytes = buffer->bytes_;
  buffer->~Buffer();
  free_block(buffer, sizeof(Buffer) + bytes);
}

Values::Values(DType dtype, const Shape& shape, Layout layout) : shape_(shape), dtype_(dtype) {
  const auto elements = static_cast<std::size_t>(stored_elements(layout));
  const Ref<Buffer> buffer = Buffer::allocate(elements * size_of(dtype));
  buffer->is_factors = layout == Layout::factors;
  buffer->add_ref();  // what is held counts as one
  (layout == Layout::rows ? rows_ : other_).store(buffer.get(), std::memory_order_relaxed);
}

void Values::raise_type(DType asked) const {
  throw DTypeError(fmt::format("values: they are {} {}, not {}", name(dtype_), shape_, name(asked)));
}

Values& Values::operator=(Values other) noexcept {
  shape_ = other.shape_;
  dtype_ = other.dtype_;
  drop(take(rows_));
  drop(take(other_));
  rows_.store(take(other.rows_), std::memory_order_relaxed);
  other_.store(take(other.other_), std::memory_order_relaxed);
  handed_out_.store(false, std::memory_order_relaxed);
  return *this;
}

std::int64_t Values::stored_elements(Layout layout) const {
  if (layout == Layout::rows) return shape_.numel();
  if (layout == Layout::factors) return shape_[0] + shape_[1];
  const std::int64_t lanes = dtype_ == DType::float32 ? kernels::kLanes<float> : kernels::kLanes<double>;
  return (shape_[0] + lanes - 1) / lanes * lanes * shape_.features();
}

// Two readers may convert at the same time; the first to finish is kept.
const void* Values::converted(Layout layout) const {
  std::atomic<Buffer*>& place = layout == Layout::rows ? rows_ : other_;
  Buffer* before = layout == Layout::rows ? nullptr : held(Layout::factors);
  Ref<Buffer> made = Buffer::allocate(static_cast<std::size_t>(stored_elements(layout)) * size_of(dtype_));
  visit_floating(dtype_, [&]<class T>() {
    auto* target = static_cast<T*>(made->data());
    const std::int64_t images = shape_[0], features = shape_.features();
    if (layout == Layout::lanes) {
      kernels::rows_to_lanes(images, features, rows<T>(), target);
    } else if (const T* b = factors<T>()) {
      kernels::dense_weight_grad_rows({1, features, images}, b + features, b, target);
    } else {
      kernels::lanes_to_rows(images, features, lanes<T>(), target);
    }
  });
  if (!place.compare_exchange_strong(before, made.get(), std::memory_order_acq_rel)) return before->data();
  made->add_ref();
  if (before != nullptr) {
    made->took_over_from = Ref<Buffer>(before);
    drop(before);
  }
  return made->data();
}

void* Values::writable_data() {
  Buffer* rows = rows_.load(std::memory_order_relaxed);
  return (rows != nullptr ? rows : other_.load(std::memory_order_relaxed))->data();
}

bool Values::is_unique() const {
  const Buffer* rows = rows_.load(std::memory_order_acquire);
  const Buffer* other = other_.load(std::memory_order_acquire);
  if (rows != nullptr) return other == nullptr && rows->is_unique();
  return other != nullptr && !other->is_factors && other->is_unique();
}

Values Values::reshaped(const Shape& shape) const {
  // Lanes of another number of images would be another layout, and factors are those of one matrix.
  const bool same_lanes =
      has(Layout::lanes) && shape.rank() > 0 && shape_.rank() > 0 && shape[0] == shape_[0];
  if (!same_lanes) data(Layout::rows);
  Values result(*this);
  if (!same_lanes) drop(take(result.other_));
  result.shape_ = shape;
  return result;
}

Values Values::copy() const {
  Values result(dtype_, shape_);
  const auto bytes = static_cast<std::size_t>(numel()) * size_of(dtype_);
  if (bytes != 0) std::memcpy(result.writable_data(), data(Layout::rows), bytes);
  return result;
}

void Values::set_rows(const Ref<Buffer>& rows, bool handed_out) {
  rows->add_ref();
  drop(take(rows_));
  drop(take(other_));
  rows_.store(rows.get(), std::memory_order_relaxed);
  handed_out_.store(handed_out, std::memory_order_relaxed);
}

}  // namespace adjoint

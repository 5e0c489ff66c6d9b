#include "autograd/values.h"

#include <cstring>
#include <new>
#include <utility>

#include "autograd/kernels/lanes.h"
#include "autograd/kernels/layout.h"

namespace adjoint {

Ref<Buffer> Buffer::allocate(std::size_t bytes) {
  return Ref<Buffer>(new (pool_allocate(sizeof(Buffer) + bytes)) Buffer(bytes));
}

void Buffer::destroy(Buffer* buffer) noexcept {
  const std::size_t bytes = buffer->bytes_;
  buffer->~Buffer();
  pool_free(buffer, sizeof(Buffer) + bytes);
}

Values::Values(DType dtype, const Shape& shape, Layout layout) : shape_(shape), dtype_(dtype) {
  const auto elements = static_cast<std::size_t>(stored_elements(layout));
  const Ref<Buffer> buffer = Buffer::allocate(elements * size_of(dtype));
  buffer->add_ref();  // what is held counts as one
  held(layout).store(buffer.get(), std::memory_order_relaxed);
}

Values& Values::operator=(Values other) noexcept {
  shape_ = other.shape_;
  dtype_ = other.dtype_;
  drop(take(rows_));
  drop(take(lanes_));
  rows_.store(take(other.rows_), std::memory_order_relaxed);
  lanes_.store(take(other.lanes_), std::memory_order_relaxed);
  return *this;
}

std::int64_t Values::stored_elements(Layout layout) const {
  if (layout == Layout::rows) return shape_.numel();
  const std::int64_t lanes = dtype_ == DType::float32 ? kernels::kLanes<float> : kernels::kLanes<double>;
  return (shape_[0] + lanes - 1) / lanes * lanes * shape_.features();
}

// Two readers may convert at the same time; the first to finish is kept.
const void* Values::converted(Layout layout) const {
  Ref<Buffer> made = Buffer::allocate(static_cast<std::size_t>(stored_elements(layout)) * size_of(dtype_));
  Buffer* from = held(layout == Layout::rows ? Layout::lanes : Layout::rows).load(std::memory_order_acquire);
  visit_floating(dtype_, [&]<class T>() {
    const auto* source = static_cast<const T*>(from->data());
    auto* target = static_cast<T*>(made->data());
    const std::int64_t images = shape_[0], features = shape_.features();
    if (layout == Layout::rows) {
      kernels::lanes_to_rows(images, features, source, target);
    } else {
      kernels::rows_to_lanes(images, features, source, target);
    }
  });
  Buffer* none = nullptr;
  made->add_ref();
  if (held(layout).compare_exchange_strong(none, made.get(), std::memory_order_acq_rel)) return made->data();
  drop(made.get());
  return none->data();
}

void* Values::writable_data() {
  Buffer* rows = rows_.load(std::memory_order_relaxed);
  return (rows != nullptr ? rows : lanes_.load(std::memory_order_relaxed))->data();
}

bool Values::is_unique() const {
  const Buffer* rows = rows_.load(std::memory_order_acquire);
  const Buffer* lanes = lanes_.load(std::memory_order_acquire);
  return (rows == nullptr) != (lanes == nullptr) && (rows != nullptr ? rows : lanes)->is_unique();
}

Values Values::reshaped(const Shape& shape) const {
  const bool same_images = shape.rank() > 0 && shape_.rank() > 0 && shape[0] == shape_[0];
  if (!same_images) data(Layout::rows);  // lanes of another number of images would be another layout
  Values result(*this);
  if (!same_images) drop(take(result.lanes_));
  result.shape_ = shape;
  return result;
}

Values Values::copy() const {
  Values result(dtype_, shape_);
  const auto bytes = static_cast<std::size_t>(numel()) * size_of(dtype_);
  if (bytes != 0) std::memcpy(result.writable_data(), data(Layout::rows), bytes);
  return result;
}

}  // namespace adjoint

#include "adjoint/tensor/values.h"

#include <cstring>
#include <new>
#include <utility>

#include "adjoint/tensor/check.h"
#include "autograd/kernels/layout/convert.h"
#include "autograd/kernels/layout/interleaved.h"
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

void Values::hold(std::atomic<Buffer*>& place, std::int64_t elements) {
  const Ref<Buffer> buffer = Buffer::allocate(static_cast<std::size_t>(elements) * size_of(dtype_));
  buffer->add_ref();  // the reference that place owns
  place.store(buffer.get(), std::memory_order_relaxed);
}

Values::Values(DType dtype, const Shape& shape, Layout layout) : shape_(shape), dtype_(dtype) {
  hold(place_of(layout), stored_elements(layout));
}

Values Values::as_outer_product(DType dtype, const Shape& shape) {
  Values result;
  result.shape_ = shape;
  result.dtype_ = dtype;
  result.hold(result.outer_product_, shape[0] + shape[1]);
  return result;
}

void Values::raise_type(DType asked) const {
  throw DTypeError(fmt::format("values: they are {} {}, not {}", name(dtype_), shape_, name(asked)));
}

Values& Values::operator=(Values other) noexcept {
  shape_ = other.shape_;
  dtype_ = other.dtype_;
  drop(take(row_major_));
  drop(take(interleaved_));
  drop(take(outer_product_));
  row_major_.store(take(other.row_major_), std::memory_order_relaxed);
  interleaved_.store(take(other.interleaved_), std::memory_order_relaxed);
  outer_product_.store(take(other.outer_product_), std::memory_order_relaxed);
  handed_out_.store(false, std::memory_order_relaxed);
  return *this;
}

std::int64_t Values::stored_elements(Layout layout) const {
  if (layout == Layout::row_major) return shape_.numel();
  const std::int64_t images =
      dtype_ == DType::float32 ? kernels::kInterleaved<float> : kernels::kInterleaved<double>;
  return (shape_[0] + images - 1) / images * images * shape_.features();
}

// Two threads may convert at the same time; the result of the first one is kept.
const void* Values::converted(Layout layout) const {
  const Ref<Buffer> made =
      Buffer::allocate(static_cast<std::size_t>(stored_elements(layout)) * size_of(dtype_));
  visit_floating(dtype_, [&]<class T>() {
    auto* target = static_cast<T*>(made->data());
    const std::int64_t images = shape_[0], features = shape_.features();
    if (layout == Layout::interleaved) {
      kernels::interleave(images, features, row_major<T>(), target);
    } else if (has_outer_product()) {
      const auto [column, row] = outer_product<T>();
      kernels::dense_weight_grad(Layout::row_major, {1, features, images}, column, row, target);
    } else {
      kernels::deinterleave(images, features, interleaved<T>(), target);
    }
  });
  Buffer* first = nullptr;
  made->add_ref();  // the reference that this object owns
  if (place_of(layout).compare_exchange_strong(first, made.get(), std::memory_order_acq_rel))
    return made->data();
  made->drop_ref();
  return first->data();
}

void* Values::writable_data() {
  Buffer* row_major = row_major_.load(std::memory_order_relaxed);
  return (row_major != nullptr ? row_major : interleaved_.load(std::memory_order_relaxed))->data();
}

bool Values::is_unique() const {
  const Buffer* row_major = row_major_.load(std::memory_order_acquire);
  const Buffer* interleaved = interleaved_.load(std::memory_order_acquire);
  if (has_outer_product() || (row_major == nullptr) == (interleaved == nullptr)) return false;
  return (row_major != nullptr ? row_major : interleaved)->is_unique();
}

Values Values::reshaped(const Shape& shape) const {
  // The interleaved layout depends on the number of images, and an outer product on the shape of the matrix.
  const bool same_images =
      has(Layout::interleaved) && shape.rank() > 0 && shape_.rank() > 0 && shape[0] == shape_[0];
  if (!same_images) data(Layout::row_major);
  Values result(*this);
  if (!same_images) drop(take(result.interleaved_));
  drop(take(result.outer_product_));
  result.shape_ = shape;
  return result;
}

Values Values::copy() const {
  Values result(dtype_, shape_);
  const auto bytes = static_cast<std::size_t>(numel()) * size_of(dtype_);
  if (bytes != 0) std::memcpy(result.writable_data(), data(Layout::row_major), bytes);
  return result;
}

void Values::set_row_major(const Ref<Buffer>& values, bool handed_out) {
  values->add_ref();
  drop(take(row_major_));
  drop(take(interleaved_));
  drop(take(outer_product_));
  row_major_.store(values.get(), std::memory_order_relaxed);
  handed_out_.store(handed_out, std::memory_order_relaxed);
}

}  // namespace adjoint

#pragma once
// The values of a tensor: a shape, an element type, and memory that is never written while it is shared.

#include <atomic>
#include <cstddef>

#include "adjoint/memory/block_cache.h"
#include "adjoint/memory/ref.h"
#include "adjoint/tensor/dtype.h"
#include "adjoint/tensor/layout.h"
#include "adjoint/tensor/shape.h"

namespace adjoint {

/// Reference-counted memory for one array. Its bytes follow this header and are 64-byte aligned.
class alignas(64) Buffer : public RefCounted {
 public:
  static Ref<Buffer> allocate(std::size_t bytes);
  static void destroy(Buffer* buffer) noexcept;
  void* data() { return this + 1; }
  std::size_t bytes() const { return bytes_; }

 private:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {}
  std::size_t bytes_;
};

/// The matrix with the elements column[i] row[j], stored as these two vectors.
template <class T>
struct OuterProduct {
  T* column;
  T* row;
};

/// An array in up to three forms: row-major, interleaved, and, for matrices only, an outer product. A layout
/// that does not exist yet is made from another form when it is first requested, and then kept. Only ops and
/// kernels can see which forms exist.
///
/// An op that computes an outer product may store its two vectors instead of the matrix. Code that can use
/// the vectors calls outer_product(); all other code requests a layout.
class Values {
 public:
  Values() = default;
  /// Uninitialized values in one layout. The interleaved layout needs a floating dtype and rank >= 1.
  Values(DType dtype, const Shape& shape, Layout layout = Layout::row_major);
  /// An uninitialized outer product of this shape, which must have rank 2. Floating dtypes only.
  static Values as_outer_product(DType dtype, const Shape& shape);
  Values(const Values& other)
      : shape_(other.shape_),
        row_major_(share(other.row_major_)),
        interleaved_(share(other.interleaved_)),
        outer_product_(share(other.outer_product_)),
        dtype_(other.dtype_) {}
  Values(Values&& other) noexcept
      : shape_(other.shape_),
        row_major_(take(other.row_major_)),
        interleaved_(take(other.interleaved_)),
        outer_product_(take(other.outer_product_)),
        dtype_(other.dtype_) {}
  Values& operator=(Values other) noexcept;
  ~Values() {
    drop(row_major_.load(std::memory_order_relaxed));
    drop(interleaved_.load(std::memory_order_relaxed));
    drop(outer_product_.load(std::memory_order_relaxed));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const& { return shape_; }
  Shape shape() const&& { return shape_; }
  std::int64_t numel() const { return shape_.numel(); }

  /// The values in a layout, which is made and kept if it does not exist yet. T must be the C++ type of
  /// dtype(); otherwise, this function and the templates below throw DTypeError. The memory lives as long as
  /// the values, so a temporary must get a name first.
  template <class T>
  const T* in(Layout layout) const& {
    check_type<T>();
    return static_cast<const T*>(data(layout));
  }
  template <class T>
  const T* in(Layout layout) const&& = delete;
  template <class T>
  const T* row_major() const& {
    return in<T>(Layout::row_major);
  }
  template <class T>
  const T* row_major() const&& = delete;
  template <class T>
  const T* interleaved() const& {
    return in<T>(Layout::interleaved);
  }
  template <class T>
  const T* interleaved() const&& = delete;

  bool has_outer_product() const { return outer_product_.load(std::memory_order_relaxed) != nullptr; }
  /// The vectors of the outer product, which must exist.
  template <class T>
  OuterProduct<const T> outer_product() const& {
    check_type<T>();
    const T* column = static_cast<const T*>(outer_product_.load(std::memory_order_relaxed)->data());
    return {column, column + shape_[0]};
  }
  template <class T>
  OuterProduct<const T> outer_product() const&& = delete;
  /// The same, writable: only for the code that makes the outer product.
  template <class T>
  OuterProduct<T> writable_outer_product() & {
    const auto [column, row] = outer_product<T>();
    return {const_cast<T*>(column), const_cast<T*>(row)};
  }
  template <class T>
  OuterProduct<T> writable_outer_product() && = delete;

  /// The layout that costs least to read: interleaved only if there is no other form.
  Layout cheapest_layout() const {
    const bool only_interleaved = !has(Layout::row_major) && !has_outer_product() && has(Layout::interleaved);
    return only_interleaved ? Layout::interleaved : Layout::row_major;
  }
  bool has(Layout layout) const { return place_of(layout).load(std::memory_order_acquire) != nullptr; }
  /// Makes a layout if it does not exist yet, so that reading it cannot throw afterwards.
  void make(Layout layout) const { data(layout); }
  /// The number of elements in a layout's memory, including the spare ones of the last block.
  std::int64_t stored_elements(Layout layout) const;

  /// The only layout that exists, writable: for the code that makes the values, and for ops that compute in
  /// place if is_unique().
  template <class T>
  T* writable() & {
    check_type<T>();
    return static_cast<T*>(writable_data());
  }
  template <class T>
  T* writable() && = delete;
  /// True when the values exist in exactly one form, this form is a layout, and no other Values share its
  /// memory.
  bool is_unique() const;

  /// The same values with another shape, which must have the same number of elements. The memory is shared.
  Values reshaped(const Shape& shape) const;
  /// A copy in row-major memory of its own.
  Values copy() const;

  // For the tensor that holds these values, see TensorBody.

  /// Returns row_major(), and marks the memory as handed out to a user, who may read it as long as the tensor
  /// exists.
  const void* hand_out() const {
    const void* values = data(Layout::row_major);
    if (!handed_out_.load(std::memory_order_relaxed)) handed_out_.store(true, std::memory_order_relaxed);
    return values;
  }
  bool handed_out() const { return handed_out_.load(std::memory_order_relaxed); }
  /// The memory of row_major(), shared or not.
  Buffer* row_major_buffer() const {
    data(Layout::row_major);
    return row_major_.load(std::memory_order_relaxed);
  }
  /// Makes the row-major layout the only form.
  void keep_only_row_major() {
    data(Layout::row_major);
    drop(take(interleaved_));
    drop(take(outer_product_));
  }
  /// The same, with other memory.
  void set_row_major(const Ref<Buffer>& values, bool handed_out);

 private:
  static Buffer* share(const std::atomic<Buffer*>& held) {
    Buffer* buffer = held.load(std::memory_order_acquire);
    if (buffer != nullptr) buffer->add_ref();
    return buffer;
  }
  static Buffer* take(std::atomic<Buffer*>& held) {
    Buffer* buffer = held.load(std::memory_order_relaxed);
    held.store(nullptr, std::memory_order_relaxed);
    return buffer;
  }
  static void drop(Buffer* buffer) {
    if (buffer != nullptr && buffer->drop_ref()) Buffer::destroy(buffer);
  }
  std::atomic<Buffer*>& place_of(Layout layout) const {
    return layout == Layout::row_major ? row_major_ : interleaved_;
  }
  const void* data(Layout layout) const {
    Buffer* buffer = place_of(layout).load(std::memory_order_acquire);
    return buffer != nullptr ? buffer->data() : converted(layout);
  }
  const void* converted(Layout layout) const;
  template <class T>
  void check_type() const {
    if (dtype_ != dtype_of<T>) [[unlikely]]
      raise_type(dtype_of<T>);
  }
  [[noreturn]] void raise_type(DType asked) const;
  void* writable_data();

  void hold(std::atomic<Buffer*>& place, std::int64_t elements);

  Shape shape_;
  mutable std::atomic<Buffer*> row_major_ = nullptr;
  mutable std::atomic<Buffer*> interleaved_ = nullptr;
  std::atomic<Buffer*> outer_product_ = nullptr;  ///< The column, then the row.
  DType dtype_ = DType::float32;
  mutable std::atomic<bool> handed_out_ = false;  ///< For this object only; copies start with false.
};

}  // namespace adjoint

#pragma once
// The values of a tensor: a shape, an element type, and memory that is never written once it is shared.

#include <atomic>
#include <cstddef>

#include "adjoint/memory/block_cache.h"
#include "adjoint/memory/ref.h"
#include "adjoint/tensor/dtype.h"
#include "adjoint/tensor/shape.h"

namespace adjoint {

/// Shared memory for one array, its bytes right behind this header, 64-byte aligned.
class alignas(64) Buffer : public RefCounted {
 public:
  static Ref<Buffer> allocate(std::size_t bytes);
  static void destroy(Buffer* buffer) noexcept;
  void* data() { return this + 1; }
  std::size_t bytes() const { return bytes_; }

  // Of the buffer in the place where values keep what is not rows.
  bool is_factors = false;     ///< Not lanes.
  Ref<Buffer> took_over_from;  ///< The factors that were there before, which somebody may still be reading.

 private:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {}
  std::size_t bytes_;
};

/// An array in either of the kernels' layouts (autograd/kernels/layout/lanes.h), or in both: the missing one
/// is made when it is first asked for, and kept. Which ones are there never shows outside ops and kernels.
///
/// A matrix may also be held as factors: values[i, j] = a[i] b[j], in memory the vector b and then a. The op
/// that computes such a product may make them instead of it. Code that gains from them asks for factors();
/// all other code asks for rows or lanes, which are then made.
class Values {
 public:
  enum class Layout : std::uint8_t { rows, lanes, factors };

  Values() = default;
  /// Uninitialized values in one layout; lanes need a floating dtype and rank >= 1, factors also rank 2.
  Values(DType dtype, const Shape& shape, Layout layout = Layout::rows);
  Values(const Values& other)
      : shape_(other.shape_), rows_(share(other.rows_)), other_(share(other.other_)), dtype_(other.dtype_) {}
  Values(Values&& other) noexcept
      : shape_(other.shape_), rows_(take(other.rows_)), other_(take(other.other_)), dtype_(other.dtype_) {}
  Values& operator=(Values other) noexcept;
  ~Values() {
    drop(rows_.load(std::memory_order_relaxed));
    drop(other_.load(std::memory_order_relaxed));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const& { return shape_; }
  Shape shape() const&& { return shape_; }
  std::int64_t numel() const { return shape_.numel(); }

  /// The values in rows or lanes. A layout that is not there yet is made from one that is, and kept. T is the
  /// C++ type of dtype(), else this and all that follow throw DTypeError. The memory lives as long as the
  /// values: a temporary's must get a name first.
  template <class T>
  const T* rows() const& {
    return in<T>(Layout::rows);
  }
  template <class T>
  const T* rows() const&& = delete;
  template <class T>
  const T* lanes() const& {
    return in<T>(Layout::lanes);
  }
  template <class T>
  const T* lanes() const&& = delete;
  template <class T>
  const T* in(Layout layout) const& {
    check_type<T>();
    return static_cast<const T*>(data(layout));
  }
  template <class T>
  const T* in(Layout layout) const&& = delete;

  /// The factors, or null where there are none.
  template <class T>
  const T* factors() const& {
    check_type<T>();
    Buffer* buffer = held(Layout::factors);
    return buffer != nullptr ? static_cast<const T*>(buffer->data()) : nullptr;
  }
  template <class T>
  const T* factors() const&& = delete;

  /// Rows or lanes, whichever costs less to read; lanes only when there are lanes and no rows.
  Layout layout() const {
    return rows_.load(std::memory_order_acquire) != nullptr || has(Layout::factors) ? Layout::rows
                                                                                    : Layout::lanes;
  }
  bool has(Layout layout) const { return held(layout) != nullptr; }
  /// Makes rows or lanes unless they are there, so that reading them cannot throw afterwards.
  void make(Layout layout) const { data(layout); }
  /// Elements in a layout's memory, spare lanes included.
  std::int64_t stored_elements(Layout layout) const;

  /// The one layout held, for its maker to fill, or for in-place use by an only owner; see is_unique.
  template <class T>
  T* writable() & {
    check_type<T>();
    return static_cast<T*>(writable_data());
  }
  template <class T>
  T* writable() && = delete;
  /// True when nobody else shares this memory and it is in one layout, rows or lanes.
  bool is_unique() const;

  /// The same values under another shape with the same number of elements, sharing memory.
  Values reshaped(const Shape& shape) const;
  /// A copy in row-major memory of its own.
  Values copy() const;

  // For the tensor that holds these values, see TensorBody.

  /// rows(), remembering that the memory was handed out to a user, who may read it for as long as the tensor
  /// lives.
  const void* hand_out() const {
    const void* rows = data(Layout::rows);
    if (!handed_out_.load(std::memory_order_relaxed)) handed_out_.store(true, std::memory_order_relaxed);
    return rows;
  }
  bool handed_out() const { return handed_out_.load(std::memory_order_relaxed); }
  /// The memory of rows(), shared or not.
  Buffer* row_buffer() const {
    data(Layout::rows);
    return rows_.load(std::memory_order_relaxed);
  }
  /// Makes rows() the only layout there is; then with other memory.
  void keep_only_rows() {
    data(Layout::rows);
    drop(take(other_));
  }
  void set_rows(const Ref<Buffer>& rows, bool handed_out);

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
  /// What is there in a layout, or null.
  Buffer* held(Layout layout) const {
    if (layout == Layout::rows) return rows_.load(std::memory_order_acquire);
    Buffer* buffer = other_.load(std::memory_order_acquire);
    return buffer != nullptr && buffer->is_factors == (layout == Layout::factors) ? buffer : nullptr;
  }
  const void* data(Layout layout) const {
    Buffer* buffer = held(layout);
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

  Shape shape_;
  mutable std::atomic<Buffer*> rows_ = nullptr;
  mutable std::atomic<Buffer*> other_ = nullptr;  ///< Lanes or factors.
  DType dtype_ = DType::float32;
  mutable std::atomic<bool> handed_out_ = false;  ///< Of these values; no copy takes it over.
};

}  // namespace adjoint

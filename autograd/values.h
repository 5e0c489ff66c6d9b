#pragma once
// The values of a tensor: a shape, an element type, and memory that is never written once it is shared.

#include <atomic>
#include <cstddef>

#include "autograd/dtype.h"
#include "autograd/pool.h"
#include "autograd/ref.h"
#include "autograd/shape.h"

namespace adjoint {

/// Shared memory for one array, its bytes right behind this header, 64-byte aligned.
class alignas(64) Buffer : public RefCounted {
 public:
  static Ref<Buffer> allocate(std::size_t bytes);
  static void destroy(Buffer* buffer) noexcept;
  void* data() { return this + 1; }

 private:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {}
  std::size_t bytes_;
};

/// An array in either of the kernels' layouts (autograd/kernels/lanes.h), or in both: the missing one is made
/// when it is first asked for, and kept. Which ones are there never shows outside ops and kernels.
class Values {
 public:
  enum class Layout : std::uint8_t { rows, lanes };

  Values() = default;
  /// Uninitialised values in one layout; lanes needs a floating dtype and rank >= 1.
  Values(DType dtype, const Shape& shape, Layout layout = Layout::rows);
  Values(const Values& other)
      : shape_(other.shape_), rows_(share(other.rows_)), lanes_(share(other.lanes_)), dtype_(other.dtype_) {}
  Values(Values&& other) noexcept
      : shape_(other.shape_), rows_(take(other.rows_)), lanes_(take(other.lanes_)), dtype_(other.dtype_) {}
  Values& operator=(Values other) noexcept;
  ~Values() {
    drop(rows_.load(std::memory_order_relaxed));
    drop(lanes_.load(std::memory_order_relaxed));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t numel() const { return shape_.numel(); }

  /// The values in a layout, made from the other one if need be. T is the C++ type of dtype().
  template <class T>
  const T* rows() const {
    return static_cast<const T*>(data(Layout::rows));
  }
  template <class T>
  const T* lanes() const {
    return static_cast<const T*>(data(Layout::lanes));
  }
  template <class T>
  const T* in(Layout layout) const {
    return static_cast<const T*>(data(layout));
  }

  /// The layout that costs nothing to read; lanes only when there are no rows.
  Layout layout() const {
    return held(Layout::rows).load(std::memory_order_acquire) != nullptr ? Layout::rows : Layout::lanes;
  }
  bool has(Layout layout) const { return held(layout).load(std::memory_order_acquire) != nullptr; }
  /// Elements in a layout's memory, spare lanes included.
  std::int64_t stored_elements(Layout layout) const;

  /// The one layout held, for its maker to fill, or for in-place use by an only owner; see is_unique.
  template <class T>
  T* writable() {
    return static_cast<T*>(writable_data());
  }
  /// True when nobody else shares this memory.
  bool is_unique() const;

  /// The same values under another shape of as many elements, sharing memory.
  Values reshaped(const Shape& shape) const;
  /// A copy in row-major memory of its own.
  Values copy() const;

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
  std::atomic<Buffer*>& held(Layout layout) const { return layout == Layout::rows ? rows_ : lanes_; }
  const void* data(Layout layout) const {
    Buffer* buffer = held(layout).load(std::memory_order_acquire);
    return buffer != nullptr ? buffer->data() : converted(layout);
  }
  const void* converted(Layout layout) const;
  void* writable_data();

  Shape shape_;
  mutable std::atomic<Buffer*> rows_ = nullptr, lanes_ = nullptr;
  DType dtype_ = DType::float32;
};

}  // namespace adjoint

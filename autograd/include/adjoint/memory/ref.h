#pragma once
// Shared ownership by a count inside the object.

#include <atomic>
#include <cstdint>
#include <utility>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace adjoint {

/// True while the process has only one thread. Counters then need no atomic read-modify-write instructions.
inline bool single_threaded() {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded;
#else
  return false;
#endif
}

/// An integer that several threads add to.
template <class T>
class Counter {
 public:
  constexpr explicit Counter(T start) : value_(start) {}
  T load() const { return value_.load(std::memory_order_acquire); }
  /// Adds step and returns the new value.
  T add(T step) {
    if (single_threaded()) {
      const T value = value_.load(std::memory_order_relaxed) + step;
      value_.store(value, std::memory_order_relaxed);
      return value;
    }
    return value_.fetch_add(step, std::memory_order_acq_rel) + step;
  }

 private:
  std::atomic<T> value_;
};

/// Base of objects held by Ref. A new object has no owner yet.
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void add_ref() const { refs_.add(1); }
  /// True when this was the last reference. The caller must then free the object.
  bool drop_ref() const { return refs_.load() == 1 || refs_.add(-1) == 0; }
  /// True when exactly one Ref holds the object.
  bool is_unique() const { return refs_.load() == 1; }

 protected:
  ~RefCounted() = default;

 private:
  mutable Counter<std::int32_t> refs_{0};
};

/// Owning pointer to a RefCounted object; T::destroy(T*) frees it.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->add_ref();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && object_->drop_ref()) T::destroy(object_);
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace adjoint

#include "tests/support/failing_memory.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

using adjoint::support::Failing;

std::atomic<Failing> failing = Failing::no;
std::atomic<std::int64_t> allocations_left = 0;  // Allocations before the first one that fails.
std::atomic<int> failed = 0;
thread_local bool next_fails_too = false;

bool shall_fail() {
  const Failing how = failing.load(std::memory_order_relaxed);
  if (how == Failing::no) return false;
  const std::int64_t left = allocations_left.fetch_sub(1, std::memory_order_relaxed);
  // Memory is requested twice: the second time after all free blocks were returned to the system.
  const bool fails = how == Failing::from_one_on ? left <= 0 : left == 0 || next_fails_too;
  next_fails_too = left == 0;
  if (fails) ++failed;
  return fails;
}

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (shall_fail()) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* block = allocate(bytes, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

constexpr std::size_t kUsual = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t bytes) { return allocate_or_throw(bytes, kUsual); }
void* operator new[](std::size_t bytes) { return allocate_or_throw(bytes, kUsual); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, kUsual); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, kUsual); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace adjoint::support {

Outcome with_failure(Failing how, std::int64_t first, const std::function<void()>& work) {
  allocations_left = first;
  failed = 0;
  failing = how;
  bool threw = false;
  try {
    work();
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  failing = Failing::no;
  if (threw) return Outcome::came_out;
  return failed > 0 ? Outcome::went_well : Outcome::nothing_failed;
}

}  // namespace adjoint::support

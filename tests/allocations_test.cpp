// A steady training loop allocates nothing. A program of its own, because it replaces malloc and similar
// functions, which operator new and the libraries use, too. glibc only.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <gtest/gtest.h>
#include <new>
#include <ostream>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adjoint/adjoint.h"
#include "tests/bench/models.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<int> allocations = 0;

void count() {
  if (counting.load(std::memory_order_relaxed)) ++allocations;
}

}  // namespace

// NOLINTBEGIN: the names are the C library's.
extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t elements, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  count();
  return __libc_malloc(bytes);
}

void* calloc(std::size_t elements, std::size_t bytes) {
  count();
  return __libc_calloc(elements, bytes);
}

void* realloc(void* block, std::size_t bytes) {
  count();
  return __libc_realloc(block, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  count();
  *block = __libc_memalign(alignment, bytes);
  return *block != nullptr ? 0 : ENOMEM;
}

void* mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  count();
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}

}  // extern "C"
// NOLINTEND

namespace {

int allocations_of(const bench::Step& step, int steps) {
  allocations = 0;
  counting = true;
  for (int i = 0; i < steps; ++i) step();
  counting = false;
  return allocations;
}

TEST(Allocations, AreCounted) {
  EXPECT_EQ(allocations_of([] { operator delete(operator new(8)); }, 3), 3);
  constexpr std::align_val_t kAlignment{64};
  EXPECT_EQ(allocations_of([] { operator delete(operator new(64, kAlignment), kAlignment); }, 3), 3);
  EXPECT_EQ(allocations_of([] {}, 3), 0);
}

TEST(Allocations, OpsOfShapesAndIndicesMakeNone) {
  using namespace adjoint;
  bench::use_threads(1);
  const Tensor x = uniform({6, 40}, -1, 1, {.requires_grad = true});
  const Tensor rows = tensor({5, 0, 0}, {.dtype = DType::int64});
  const Tensor places = zeros({2, 40}, {.dtype = DType::int64});
  const auto step = [&] {
    const TensorList parts = chunk(x, 6, 1);
    const Tensor results[] = {
        concat(parts, 1),
        stack({x, x, x, x, x}, 1),
        pad(flip(x, 1), {1, 2, 1, 1}),
        pad(roll(x, 3), {1, 2}, {.mode = PadMode::reflect}),
        expand(unsqueeze(diagonal(tril(x), {.offset = 1}), 0), {4, -1}),
        repeat(slice(x, 1, {.begin = 3, .step = 2}), {2, 2}),
        repeat_interleave(select(x, 0, 1), 2),
        index_add(x, 0, rows, index_select(x, 0, rows)),
        scatter_add(x, 0, places, scatter(gather(x, 0, places), 0, places, x)),
        sort(x).values,
        topk(x, 3).values,
        embedding(rows, x),
        fold(unfold(reshape(x, {1, 15, 16}), {.window = 3}), {.size = {15, 16}, .window = 3}),
    };
    for (const Tensor& result : results) sum(result).backward();
  };
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(allocations_of(step, 10), 0);
}

TEST(Allocations, LinearAlgebraMakesNone) {
  using namespace adjoint;
  bench::use_threads(1);
  Rng rng(1);
  const Tensor a = uniform({6, 4, 4}, 1, 2, {.dtype = float64, .requires_grad = true}, rng);
  const Tensor b = uniform({4, 3}, -1, 1, {.dtype = float64, .requires_grad = true}, rng);
  const auto step = [&](auto op) {
    return [&a, &b, op] {
      Tensor(a).zero_grad();
      Tensor(b).zero_grad();
      sum(op(a, b)).backward();
    };
  };
  using T = const Tensor&;
  const bench::Step steps[] = {
      step([](T x, T) { return matmul(x, x, {.transpose_a = true}); }),
      step([](T x, T y) { return matmul(x, y); }),
      step([](T x, T) { return dense(x, sum(x, {0})); }),
      step([](T x, T y) {
        return einsum("bij,jk,bii->ik", {x, y, x});
      }),
      step([](T x, T y) { return solve(x, y); }),
      step([](T x, T y) { return triangular_solve(x, y); }),
      step([](T x, T) { return inverse(x); }),
      step([](T x, T) { return det(x); }),
      step([](T x, T) { return cholesky(matmul(x, x, {.transpose_b = true})); }),
      step([](T x, T) { return slogdet(x).logabsdet; }),
  };
  for (const bench::Step& one : steps) {
    for (int i = 0; i < 3; ++i) one();
    EXPECT_EQ(allocations_of(one, 10), 0) << "op " << &one - steps;
  }
}

struct Loop {
  const char* model;
  std::int64_t batch;
  int threads;
};

std::ostream& operator<<(std::ostream& stream, const Loop& loop) {
  return stream << loop.model << ", batch " << loop.batch << ", threads " << loop.threads;
}

class AllocationsTest : public testing::TestWithParam<Loop> {};

TEST_P(AllocationsTest, ASteadyLoopMakesNone) {
  const auto& [model, batch, threads] = GetParam();
  const adjoint::Mnist data = adjoint::embedded_mnist();
  bench::use_threads(threads);
  const bench::Step step = bench::make_step(model, batch, data);
  for (int i = 0; i < 3; ++i) step();
  int made = allocations_of(step, 10);
  // Another thread allocates memory when it first works on each kernel. On a busy machine this can happen at
  // any step.
  for (int round = 0; threads > 1 && made > 0 && round < 50; ++round) made = allocations_of(step, 10);
  EXPECT_EQ(made, 0);
}

constexpr Loop kLoops[] = {
    {"documented", 1, 1},    {"documented", 32, 1},  {"documented", 32, 2}, {"documented", 128, 1},
    {"documented", 1000, 2}, {"evaluation", 250, 1}, {"five", 1, 1},        {"chain", 1, 1},
    {"lenet5", 1, 1},        {"lenet5", 64, 1},      {"lenet5", 64, 2},     {"mlp", 1, 1},
    {"mlp", 128, 1},         {"mlp", 128, 2},        {"vgg", 1, 1},         {"vgg", 3, 2},
};
INSTANTIATE_TEST_SUITE_P(Loops, AllocationsTest, testing::ValuesIn(kLoops));

}  // namespace

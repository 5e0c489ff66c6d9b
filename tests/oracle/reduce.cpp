// Reductions and running sums against libtorch's.
#include <gtest/gtest.h>
#include <limits>

#include "adjoint/ops/cumulative.h"
#include "adjoint/ops/statistics.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Dims = std::vector<std::int64_t>;
struct Reduction {
  const char* name;
  Tensor (*ours)(const Tensor&, const Axes&, bool keepdim);
  torch::Tensor (*theirs)(const torch::Tensor&, const Dims&, bool keepdim);
  bool second = true;
};

using T = const Tensor&;
using A = const Axes&;
using U = const torch::Tensor&;
using D = const Dims&;

// Without axes, several of libtorch's functions reduce over all of them; these examples have at least one.
const Reduction kReductions[] = {
    {"sum", [](T x, A a, bool k) { return sum(x, a, {k}); }, [](U x, D d, bool k) { return x.sum(d, k); }},
    {"mean", [](T x, A a, bool k) { return mean(x, a, {k}); }, [](U x, D d, bool k) { return x.mean(d, k); }},
    {"amax", [](T x, A a, bool k) { return max(x, a, {k}); }, [](U x, D d, bool k) { return x.amax(d, k); }},
    {"amin", [](T x, A a, bool k) { return min(x, a, {k}); }, [](U x, D d, bool k) { return x.amin(d, k); }},
    {"var", [](T x, A a, bool k) { return var(x, a, {.correction = 0, .keepdim = k}); },
     [](U x, D d, bool k) { return x.var(d, /*unbiased=*/false, k); }},
    {"norm 2", [](T x, A a, bool k) { return norm(x, a, {.keepdim = k}); },
     [](U x, D d, bool k) { return x.norm(2, d, k); }},
    {"norm 1", [](T x, A a, bool k) { return norm(x, a, {.p = 1, .keepdim = k}); },
     [](U x, D d, bool k) { return x.norm(1, d, k); }},
    {"norm 3", [](T x, A a, bool k) { return norm(x, a, {.p = 3, .keepdim = k}); },
     [](U x, D d, bool k) { return x.norm(3, d, k); }},
    {"norm inf", [](T x, A a, bool k) { return norm(x, a, {.p = kInfinity, .keepdim = k}); },
     [](U x, D d, bool k) { return torch::linalg_vector_norm(x, kInfinity, d, k); }},
    {"logsumexp", [](T x, A a, bool k) { return logsumexp(x, a, {k}); },
     [](U x, D d, bool k) { return x.logsumexp(d, k); }},
};

TEST(Oracle, Reductions) {
  for (const Reduction& f : kReductions) {
    compare("reductions", f.name, 60, [&](Draw& draw) {
      const Shape shape = draw.shape(1, 4);
      std::vector<int> axes = draw.axes_of(shape);
      if (axes.empty()) axes = {draw.axis_of(shape)};
      const bool keepdim = draw.flag();
      return Example{.inputs = {draw.tensor(shape)},
                     .ours = [=](auto in) { return f.ours(in[0], axes, keepdim); },
                     .theirs = [=](auto in) { return f.theirs(in[0], longs(axes), keepdim); },
                     .units = 64};
    });
  }
  compare("reductions", "stddev", 40, [](Draw& draw) {
    return Example{.inputs = {draw.tensor({draw.number(2, 5), draw.number(2, 5)})},
                   .ours = [](auto in) { return stddev(in[0], 1); },
                   .theirs = [](auto in) { return in[0].std(1); },
                   .units = 256};
  });
}

TEST(Oracle, ReductionsAlongAnAxis) {
  const auto along = [](const char* name, auto ours, auto theirs, double low = -2, double units = 16) {
    compare("along an axis", name, 40, [&](Draw& draw) {
      const Shape shape = draw.shape(1, 4);
      const int axis = draw.axis_of(shape);
      return Example{.inputs = {draw.tensor(shape, low, 2)},
                     .ours = [=](auto in) { return ours(in[0], axis); },
                     .theirs = [=](auto in) { return theirs(in[0], axis); },
                     .units = units};
    });
  };
  along(
      "prod", [](T x, int axis) { return prod(x, axis); }, [](U x, int axis) { return x.prod(axis); }, -2,
      64);
  along(
      "cumsum", [](T x, int axis) { return cumsum(x, axis); }, [](U x, int axis) { return x.cumsum(axis); });
  along(
      "cumprod", [](T x, int axis) { return cumprod(x, axis); },
      [](U x, int axis) { return x.cumprod(axis); }, -2, 64);
  along(
      "logcumsumexp", [](T x, int axis) { return logcumsumexp(x, axis); },
      [](U x, int axis) { return x.logcumsumexp(axis); }, -2, 64);
  along(
      "argmax", [](T x, int axis) { return argmax(x, axis); }, [](U x, int axis) { return x.argmax(axis); });
  along(
      "argmin", [](T x, int axis) { return argmin(x, axis); }, [](U x, int axis) { return x.argmin(axis); });
  along(
      "max", [](T x, int axis) { return max_with_indices(x, axis).values; },
      [](U x, int axis) { return std::get<0>(x.max(axis)); });
  along(
      "min", [](T x, int axis) { return min_with_indices(x, axis).values; },
      [](U x, int axis) { return std::get<0>(x.min(axis)); });
  along(
      "median", [](T x, int axis) { return median(x, axis); },
      [](U x, int axis) { return std::get<0>(x.median(axis)); });
  along(
      "any", [](T x, int axis) { return any(x, axis); },
      [](U x, int axis) { return x.to(torch::kBool).any(axis); });
  along(
      "all", [](T x, int axis) { return all(x, axis); },
      [](U x, int axis) { return x.to(torch::kBool).all(axis); });
  along(
      "count_nonzero", [](T x, int axis) { return count_nonzero(x, axis); },
      [](U x, int axis) { return x.count_nonzero(c10::optional<std::int64_t>(axis)); });
}

}  // namespace
}  // namespace adjoint::oracle

// An equation is read into terms of labels: one for each letter, and one for each axis of "...". Then the
// operands are multiplied, two at a time, until one is left. Sets of labels are bits of a number.
#include "adjoint/ops/einsum.h"

#include <algorithm>
#include <bit>
#include <string>

#include "adjoint/memory/small_array.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

constexpr int kLetters = 52, kLabels = kLetters + Shape::kMaxRank;
constexpr int kNoEllipsis = -1;

using Label = std::uint8_t;
using Labels = std::uint64_t;
constexpr Labels only(Label label) { return Labels{1} << label; }

/// Capitals come first, as in the alphabetical order of the result.
int label_of(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return 26 + letter - 'a';
  return -1;
}
std::string name_of(Label label) {
  if (label >= kLetters) return "an axis of ...";
  return fmt::format("letter '{}'", static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26));
}

/// A list of labels, in the order of axes.
struct AxisLabels {
  int rank = 0;
  Label labels[Shape::kMaxRank];

  void append(Label label) { labels[rank++] = label; }
  std::span<const Label> all() const { return {labels, static_cast<std::size_t>(rank)}; }
  Labels set() const {
    Labels set = 0;
    for (const Label label : all()) set |= only(label);
    return set;
  }
  /// Appends those labels of `from` that are in `wanted`, in their order.
  void append(const AxisLabels& from, Labels wanted) {
    for (const Label label : from.all())
      if ((wanted & only(label)) != 0) append(label);
  }
  bool operator==(const AxisLabels& other) const { return std::ranges::equal(all(), other.all()); }
};

/// An operand, or a product of some of them, and the labels of its axes.
struct Term {
  Tensor x;
  AxisLabels axes;
};

/// A term of the equation as it is written.
struct Subscripts {
  AxisLabels letters;
  int ellipsis = kNoEllipsis;  // how many letters stand in front of "..."
};

Subscripts parse_term(std::string_view equation, std::string_view term) {
  Subscripts result;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (term.substr(i, 3) == "...") {
      check(result.ellipsis == kNoEllipsis, "einsum: \"{}\" has two ellipses in one term", equation);
      result.ellipsis = result.letters.rank;
      i += 2;
      continue;
    }
    const int label = label_of(term[i]);
    check(label >= 0, "einsum: '{}' in \"{}\" is not a letter, a comma, \"->\" or \"...\"", term[i],
          equation);
    check_shape(result.letters.rank < Shape::kMaxRank, "einsum: a term of \"{}\" has more than {} letters",
                equation, Shape::kMaxRank);
    result.letters.append(static_cast<Label>(label));
  }
  return result;
}

/// What the equation says about these operands.
struct Problem {
  std::string_view equation;
  SmallArray<Term, 4> terms;
  std::int64_t sizes[kLabels];
  AxisLabels result;

  Problem(std::string_view equation, std::span<const Tensor> operands);

 private:
  void read_operand(std::size_t operand, const Subscripts& subscripts, std::span<const Tensor> operands);
  void read_result(std::string_view term);
  void add_size(Label label, std::size_t operand, std::int64_t size);

  int ellipsis_rank_ = 0;
  Labels repeated_ = 0;  // letters that appear more than once
  Labels used_ = 0;
  std::size_t operand_of_[kLabels];  // one that has the label's size
};

void Problem::add_size(Label label, std::size_t operand, std::int64_t size) {
  if ((used_ & only(label)) == 0 || sizes[label] == 1) {
    sizes[label] = size;
    operand_of_[label] = operand;
  }
  if (size != sizes[label] && size != 1) [[unlikely]]
    throw ShapeError(fmt::format("einsum: {} has size {} in operand {} and {} in operand {} of \"{}\"",
                                 name_of(label), sizes[label], operand_of_[label], size, operand, equation));
  used_ |= only(label);
}

void Problem::read_operand(std::size_t operand, const Subscripts& subscripts,
                           std::span<const Tensor> operands) {
  const Tensor& x = operands[operand];
  check<DTypeError>(is_floating(x.dtype()), "einsum: operand {} must be float32 or float64, it is {}",
                    operand, x.dtype());
  check<DTypeError>(x.dtype() == operands[0].dtype(),
                    "einsum: all operands must have the same dtype; operand 0 is {}, operand {} is {}",
                    operands[0].dtype(), operand, x.dtype());
  const auto& [letters, ellipsis] = subscripts;
  const int more = x.rank() - letters.rank;
  check_shape(more == 0 || (more > 0 && ellipsis != kNoEllipsis),
              "einsum: operand {} has {} axes, its term in \"{}\" has {} letters; it is {}", operand,
              x.rank(), equation, letters.rank, x.shape());
  AxisLabels& axes = terms[operand].axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool in_ellipsis = ellipsis != kNoEllipsis && axis >= ellipsis && axis < ellipsis + more;
    // The last axis of "..." has the last label, in every operand.
    const auto label = in_ellipsis
                           ? static_cast<Label>(kLabels - (ellipsis + more - axis))
                           : letters.labels[axis < ellipsis || ellipsis == kNoEllipsis ? axis : axis - more];
    const std::int64_t size = x.size(axis);
    for (int earlier = 0; earlier < axis; ++earlier) {
      if (axes.labels[earlier] == label && x.size(earlier) != size) [[unlikely]]
        throw ShapeError(fmt::format("einsum: {} has sizes {} and {} in operand {} of \"{}\"", name_of(label),
                                     x.size(earlier), size, operand, equation));
    }
    if ((used_ & only(label)) != 0) repeated_ |= only(label);
    add_size(label, operand, size);
    axes.append(label);
  }
  terms[operand].x = x;
  ellipsis_rank_ = std::max(ellipsis_rank_, more);
}

void Problem::read_result(std::string_view term) {
  const auto [letters, ellipsis] = parse_term(equation, term);
  check_shape(letters.rank + (ellipsis == kNoEllipsis ? 0 : ellipsis_rank_) <= Shape::kMaxRank,
              "einsum: the result of \"{}\" has more than {} axes", equation, Shape::kMaxRank);
  for (int k = 0; k <= letters.rank; ++k) {
    for (int axis = 0; k == ellipsis && axis < ellipsis_rank_; ++axis)
      result.append(static_cast<Label>(kLabels - ellipsis_rank_ + axis));
    if (k == letters.rank) break;
    const Label label = letters.labels[k];
    if ((used_ & only(label)) == 0) [[unlikely]]
      throw Error(
          fmt::format("einsum: {} of the result of \"{}\" is in no operand", name_of(label), equation));
    if ((result.set() & only(label)) != 0) [[unlikely]]
      throw Error(fmt::format("einsum: {} appears twice in the result of \"{}\"", name_of(label), equation));
    result.append(label);
  }
}

Problem::Problem(std::string_view text, std::span<const Tensor> operands)
    : equation(text), terms(operands.size()) {
  check(!operands.empty(), "einsum: there must be at least one operand");
  const std::size_t arrow = text.find("->");
  std::string_view inputs = text.substr(0, arrow);
  const auto count = static_cast<std::size_t>(std::count(inputs.begin(), inputs.end(), ',')) + 1;
  check(count == operands.size(), "einsum: \"{}\" has {} terms for {} operands", equation, count,
        operands.size());
  for (std::size_t operand = 0; operand < count; ++operand) {
    const std::size_t comma = std::min(inputs.find(','), inputs.size());
    read_operand(operand, parse_term(equation, inputs.substr(0, comma)), operands);
    inputs.remove_prefix(std::min(comma + 1, inputs.size()));
  }
  if (arrow != std::string_view::npos) {
    read_result(text.substr(arrow + 2));
    return;
  }
  for (int axis = 0; axis < ellipsis_rank_; ++axis)
    result.append(static_cast<Label>(kLabels - ellipsis_rank_ + axis));
  for (Label label = 0; label < kLetters; ++label) {
    if ((used_ & ~repeated_ & only(label)) == 0) continue;
    check_shape(result.rank < Shape::kMaxRank, "einsum: the result of \"{}\" has more than {} axes", equation,
                Shape::kMaxRank);
    result.append(label);
  }
}

/// The product of the sizes of some labels. N is double if the product may be large.
template <class N = std::int64_t>
N numel(const Problem& problem, Labels set) {
  N product = 1;
  for (; set != 0; set &= set - 1) product *= static_cast<N>(problem.sizes[std::countr_zero(set)]);
  return product;
}

Shape shape_of(const Problem& problem, const AxisLabels& axes) {
  std::int64_t sizes[Shape::kMaxRank];
  for (int k = 0; k < axes.rank; ++k) sizes[k] = problem.sizes[axes.labels[k]];
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(axes.rank)));
}

/// The term's tensor with its axes in this order. It must have the same labels.
Tensor ordered(const Term& term, const AxisLabels& order) {
  int axes[Shape::kMaxRank];
  for (int k = 0; k < order.rank; ++k)
    axes[k] = static_cast<int>(std::ranges::find(term.axes.all(), order.labels[k]) - term.axes.all().begin());
  return permute(term.x, std::span<const int>(axes, static_cast<std::size_t>(order.rank)));
}

/// Makes each label appear once: takes diagonals.
void take_diagonals(Term& term) {
  for (int k = 0; k < term.axes.rank; ++k) {
    for (int j = k + 1; j < term.axes.rank; ++j) {
      if (term.axes.labels[j] != term.axes.labels[k]) continue;
      AxisLabels left;
      for (int axis = 0; axis < term.axes.rank; ++axis)
        if (axis != k && axis != j) left.append(term.axes.labels[axis]);
      left.append(term.axes.labels[k]);
      term.x = diagonal(term.x, {.axis0 = k, .axis1 = j});
      term.axes = left;
      return take_diagonals(term);
    }
  }
}

/// Removes axes of size 1: a product repeats them, and the result gets its own at the end.
void drop_ones(Term& term) {
  AxisLabels left;
  std::int64_t sizes[Shape::kMaxRank];
  for (int axis = 0; axis < term.axes.rank; ++axis) {
    if (term.x.size(axis) == 1) continue;
    sizes[left.rank] = term.x.size(axis);
    left.append(term.axes.labels[axis]);
  }
  term.x = reshape(term.x, std::span<const std::int64_t>(sizes, static_cast<std::size_t>(left.rank)));
  term.axes = left;
}

/// Sums over all labels that are not wanted.
void sum_others(Term& term, Labels wanted) {
  int axes[Shape::kMaxRank];
  std::size_t count = 0;
  AxisLabels left;
  left.append(term.axes, wanted);
  for (int axis = 0; axis < term.axes.rank; ++axis)
    if ((wanted & only(term.axes.labels[axis])) == 0) axes[count++] = axis;
  if (count > 0) term.x = sum(term.x, std::span<const int>(axes, count));
  term.axes = left;
}

/// a b without a sum: multiplied element by element, with a's axes and then those that only b has.
Term multiply(const Problem& problem, const Term& a, const Term& b) {
  const Labels in_a = a.axes.set(), in_b = b.axes.set();
  AxisLabels b_order, result = a.axes;
  b_order.append(a.axes, in_b);
  b_order.append(b.axes, ~in_a);
  result.append(b.axes, ~in_a);
  const auto with_ones = [&](const Tensor& x, Labels in_x) {
    std::int64_t sizes[Shape::kMaxRank];
    for (int k = 0; k < result.rank; ++k)
      sizes[k] = (in_x & only(result.labels[k])) != 0 ? problem.sizes[result.labels[k]] : 1;
    return reshape(x, Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(result.rank))));
  };
  return {with_ones(a.x, in_a) * with_ones(ordered(b, b_order), in_b), result};
}

/// One side of a matrix product: the batch, then the rows of a or the columns of b, and the labels of the
/// sum. If the sum comes first, the matrix is given as its transpose.
struct Side {
  Tensor x;
  bool sum_first;
};
Side side_of(const Problem& problem, const Term& term, const AxisLabels& batch, Labels own,
             const AxisLabels& sum) {
  AxisLabels sum_last = batch, sum_first = batch;
  sum_last.append(term.axes, own);
  sum_last.append(sum, ~Labels{0});
  sum_first.append(sum, ~Labels{0});
  sum_first.append(term.axes, own);
  const bool first = own != 0 && term.axes == sum_first;  // as it is, without a copy
  const std::int64_t of_sum = numel(problem, sum.set()), of_own = numel(problem, own);
  const std::int64_t rows = first ? of_sum : of_own, columns = first ? of_own : of_sum;
  const Shape matrices =
      batch.rank == 0 ? Shape{rows, columns} : Shape{numel(problem, batch.set()), rows, columns};
  return {reshape(ordered(term, first ? sum_first : sum_last), matrices), first};
}

/// a b, summed over the labels of both that are not wanted: a batch of matrix products.
Term contract(const Problem& problem, const Term& a, const Term& b, Labels wanted) {
  const Labels in_a = a.axes.set(), in_b = b.axes.set();
  AxisLabels batch, sum, result;
  batch.append(a.axes, in_b & wanted);
  sum.append(a.axes, in_b & ~wanted);
  const Side left = side_of(problem, a, batch, in_a & ~in_b, sum),
             right = side_of(problem, b, batch, in_b & ~in_a, sum);
  result = batch;
  result.append(a.axes, ~in_b);
  result.append(b.axes, ~in_a);
  const Tensor y = matmul(left.x, right.x, {.transpose_a = left.sum_first, .transpose_b = !right.sum_first});
  return {reshape(y, shape_of(problem, result)), result};
}

Term product(const Problem& problem, const Term& a, const Term& b, Labels wanted) {
  const Labels in_a = a.axes.set(), in_b = b.axes.set();
  check_shape(std::popcount((in_a & in_b & wanted) | (in_a ^ in_b)) <= Shape::kMaxRank,
              "einsum: a product of two operands in \"{}\" has more than {} axes", problem.equation,
              Shape::kMaxRank);
  if ((in_a & in_b & ~wanted) == 0) return multiply(problem, a, b);
  // The operand whose own label comes first in the result is the left one, so that the result is in order.
  for (const Label label : problem.result.all()) {
    if (((in_a ^ in_b) & only(label)) == 0) continue;
    return (in_a & only(label)) != 0 ? contract(problem, a, b, wanted) : contract(problem, b, a, wanted);
  }
  return contract(problem, a, b, wanted);
}

/// The labels that the result or another one of the first `count` terms has.
Labels wanted_beside(const Problem& problem, std::size_t count, std::size_t a, std::size_t b) {
  Labels wanted = problem.result.set();
  for (std::size_t k = 0; k < count; ++k)
    if (k != a && k != b) wanted |= problem.terms[k].axes.set();
  return wanted;
}

}  // namespace

Tensor einsum(std::string_view equation, std::span<const Tensor> operands) {
  Problem problem(equation, operands);
  auto& terms = problem.terms;
  std::size_t count = terms.size();
  for (Term& term : terms) {
    take_diagonals(term);
    drop_ones(term);
  }
  for (std::size_t k = 0; k < count; ++k) sum_others(terms[k], wanted_beside(problem, count, k, k));
  for (; count > 1; --count) {
    std::size_t first = 0, second = 1;
    double fewest = 0;
    for (std::size_t a = 0; count > 2 && a < count; ++a) {
      for (std::size_t b = a + 1; b < count; ++b) {
        const Labels both = terms[a].axes.set() | terms[b].axes.set();
        const auto elements = numel<double>(problem, both & wanted_beside(problem, count, a, b));
        if (b > 1 && elements >= fewest) continue;
        first = a;
        second = b;
        fewest = elements;
      }
    }
    terms[first] =
        product(problem, terms[first], terms[second], wanted_beside(problem, count, first, second));
    if (second != count - 1) terms[second] = std::move(terms[count - 1]);
  }
  // Axes of size 1 were dropped.
  AxisLabels order;
  order.append(problem.result, terms[0].axes.set());
  return reshape(ordered(terms[0], order), shape_of(problem, problem.result));
}

Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands) {
  return einsum(equation, std::span(operands.begin(), operands.size()));
}

}  // namespace adjoint

#include "adjoint/graph/transforms.h"

#include "adjoint/graph/grad.h"
#include "adjoint/graph/grad_mode.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/shape.h"
#include "adjoint/tensor/create.h"
#include "autograd/graph/arguments.h"

namespace adjoint {
namespace {

/// A call of f that can be differentiated.
struct Call {
  Call(const TensorFunction& f, std::span<const Tensor> inputs, const TransformOptions& options)
      : create_graph(options.create_graph) {
    for (const Tensor& input : inputs) arguments.push_back(engine::as_argument(input, create_graph));
    y = f(arguments);
  }
  Tensor value() const { return create_graph ? y : y.detach(); }

  const GradMode recording{true};
  bool create_graph;
  std::vector<Tensor> arguments;
  Tensor y;
};

void check_fits(const char* caller, const std::string& name, const Tensor& v, const std::string& of,
                const Tensor& tensor) {
  check_shape(v.shape() == tensor.shape(), "{}: {} must have the shape of {}; it is {}, {} {}", caller, name,
              of, v.shape(), of, tensor.shape());
  check<DTypeError>(v.dtype() == tensor.dtype(), "{}: {} must have the dtype of {}; it is {}, {} {}", caller,
                    name, of, v.dtype(), of, tensor.dtype());
}

void check_directions(const char* caller, std::span<const Tensor> inputs, std::span<const Tensor> vs) {
  check(vs.size() == inputs.size(),
        "{}: there must be one direction for each input; there are {} and {} inputs", caller, vs.size(),
        inputs.size());
  for (std::size_t i = 0; i < vs.size(); ++i)
    check_fits(caller, fmt::format("direction {}", i), vs[i], fmt::format("input {}", i), inputs[i]);
}

void check_single_number(const char* caller, const Tensor& y) {
  check_shape(y.numel() == 1, "{}: f must return a single number, it returned {}", caller, y.shape());
}

/// grad() that also takes a y that depends on nothing.
std::vector<Tensor> pull_back(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options) {
  if (y.requires_grad()) return grad(y, xs, options);
  std::vector<Tensor> zero;
  for (const Tensor& x : xs) zero.push_back(zeros(x.shape(), {.dtype = x.dtype()}));
  return zero;
}

/// The gradients of the sum over i of sum(ys[i] * vs[i]); a y may depend on nothing.
std::vector<Tensor> pull_back_all(std::span<const Tensor> ys, std::span<const Tensor> vs,
                                  std::span<const Tensor> xs, bool create_graph) {
  JointGradOptions options = {.create_graph = create_graph};
  std::vector<Tensor> varying;
  for (std::size_t i = 0; i < ys.size(); ++i) {
    if (!ys[i].requires_grad()) continue;
    varying.push_back(ys[i]);
    options.gradients.push_back(vs[i]);
  }
  return grad(varying, xs, options);
}

Shape joined(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> sizes(a.begin(), a.end());
  sizes.insert(sizes.end(), b.begin(), b.end());
  return Shape(sizes);
}

/// dy/dx for each x of xs, one row after the other.
std::vector<Tensor> rows(const Tensor& y, std::span<const Tensor> xs, bool create_graph) {
  std::vector<std::vector<Tensor>> of(xs.size());
  const std::int64_t count = y.numel();
  for (std::int64_t k = 0; k < count; ++k) {
    Tensor v = zeros(y.shape(), {.dtype = y.dtype()});
    visit_floating(v.dtype(), [&]<class T>() { v.mutable_data<T>()[static_cast<std::size_t>(k)] = 1; });
    std::vector<Tensor> row =
        pull_back(y, xs, {.gradient = v, .retain_graph = true, .create_graph = create_graph});
    for (std::size_t i = 0; i < xs.size(); ++i) of[i].push_back(std::move(row[i]));
  }
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const Shape shape = joined(y.shape(), xs[i].shape());
    result.push_back(count == 0 ? zeros(shape, {.dtype = xs[i].dtype()}) : reshape(stack(of[i]), shape));
  }
  return result;
}

VjpResult hessian_product(const char* caller, const TensorFunction& f, std::span<const Tensor> inputs,
                          std::span<const Tensor> vs, const TransformOptions& options) {
  check_directions(caller, inputs, vs);
  const Call call(f, inputs, options);
  check_single_number(caller, call.y);
  const std::vector<Tensor> first = pull_back(call.y, call.arguments, {.create_graph = true});
  return {call.value(), pull_back_all(first, vs, call.arguments, call.create_graph)};
}

}  // namespace

VjpResult vjp(const TensorFunction& f, std::span<const Tensor> inputs, const Tensor& v,
              const TransformOptions& options) {
  const Call call(f, inputs, options);
  check_fits("vjp", "v", v, "f(x)", call.y);
  return {call.value(),
          pull_back(call.y, call.arguments, {.gradient = v, .create_graph = call.create_graph})};
}

JvpResult jvp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options) {
  check_directions("jvp", inputs, vs);
  const Call call(f, inputs, options);
  if (!call.y.requires_grad()) return {call.value(), zeros(call.y.shape(), {.dtype = call.y.dtype()})};
  // J^T u is linear in u, so its derivative by u in the direction of vs is J vs, whatever u is.
  const Tensor u = zeros(call.y.shape(), {.dtype = call.y.dtype(), .requires_grad = true});
  const std::vector<Tensor> products = grad(call.y, call.arguments, {.gradient = u, .create_graph = true});
  return {call.value(), pull_back_all(products, vs, std::span(&u, 1), call.create_graph)[0]};
}

std::vector<Tensor> jacobian(const TensorFunction& f, std::span<const Tensor> inputs,
                             const TransformOptions& options) {
  const Call call(f, inputs, options);
  return rows(call.y, call.arguments, call.create_graph);
}

std::vector<std::vector<Tensor>> hessian(const TensorFunction& f, std::span<const Tensor> inputs,
                                         const TransformOptions& options) {
  const Call call(f, inputs, options);
  check_single_number("hessian", call.y);
  std::vector<std::vector<Tensor>> result;
  for (const Tensor& first : pull_back(call.y, call.arguments, {.create_graph = true}))
    result.push_back(rows(first, call.arguments, call.create_graph));
  return result;
}

VjpResult vhp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options) {
  return hessian_product("vhp", f, inputs, vs, options);
}

VjpResult hvp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options) {
  return hessian_product("hvp", f, inputs, vs, options);
}

namespace {
using List = std::initializer_list<Tensor>;
std::span<const Tensor> span_of(List list) { return {list.begin(), list.size()}; }
}  // namespace

VjpResult vjp(const TensorFunction& f, List inputs, const Tensor& v, const TransformOptions& options) {
  return vjp(f, span_of(inputs), v, options);
}
JvpResult jvp(const TensorFunction& f, List inputs, List vs, const TransformOptions& options) {
  return jvp(f, span_of(inputs), span_of(vs), options);
}
std::vector<Tensor> jacobian(const TensorFunction& f, List inputs, const TransformOptions& options) {
  return jacobian(f, span_of(inputs), options);
}
std::vector<std::vector<Tensor>> hessian(const TensorFunction& f, List inputs,
                                         const TransformOptions& options) {
  return hessian(f, span_of(inputs), options);
}
VjpResult vhp(const TensorFunction& f, List inputs, List vs, const TransformOptions& options) {
  return vhp(f, span_of(inputs), span_of(vs), options);
}
VjpResult hvp(const TensorFunction& f, List inputs, List vs, const TransformOptions& options) {
  return hvp(f, span_of(inputs), span_of(vs), options);
}

}  // namespace adjoint

#include "autograd/graph/accumulate.h"

#include "adjoint/graph/node.h"
#include "autograd/kernels/elementwise/broadcast.h"

namespace adjoint {

void accumulate(Tensor& total, Tensor part) {
  const bool recorded = grad_enabled() && (total.requires_grad() || part.requires_grad());
  if (!recorded && !total.is_unique() && part.is_unique()) std::swap(total, part);
  const bool in_place = !recorded && total.is_unique();
  const Values &a = total.values(), &b = part.values();
  const Layout layout = a.cheapest_layout();
  Values sum = in_place ? a : Values(a.dtype(), a.shape(), layout);
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::add(a.stored_elements(layout), a.in<T>(layout), b.in<T>(layout), sum.writable<T>());
  });
  if (in_place) return;
  total = record("add", std::move(sum), {total, part}, [](const Tensor& dy, Needs) -> Grads {
    return {dy, dy};
  });
}

}  // namespace adjoint

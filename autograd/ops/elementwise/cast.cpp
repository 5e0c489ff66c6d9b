#include <type_traits>

#include "adjoint/graph/node.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

Tensor Tensor::to(DType target) const {
  const Values& from = values();
  if (from.dtype() == target) return pass_through("to", *this);
  Values result(target, from.shape());
  visit(from.dtype(), [&]<class From>() {
    visit(target, [&]<class To>() {
      const From* source = from.row_major<From>();
      To* values = result.writable<To>();
      for (std::int64_t i = 0; i < from.numel(); ++i) {
        if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
          check(fits_int64(static_cast<double>(source[i])), "to: element {} is {}, which int64 cannot hold",
                i, source[i]);
        }
        values[i] = static_cast<To>(source[i]);
      }
    });
  });
  if (!is_floating(target) || !is_floating(from.dtype())) return Tensor(std::move(result));
  return record("to", std::move(result), {*this},
                [dtype = from.dtype()](const Tensor& dy, Needs) -> Grads { return {dy.to(dtype)}; });
}

}  // namespace adjoint

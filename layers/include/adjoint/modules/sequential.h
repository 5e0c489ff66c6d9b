#pragma once
// Sequential: modules that run one after the other.

#include <concepts>
#include <memory>

#include "adjoint/modules/module.h"

namespace adjoint {

/// The parts of a Sequential: layers, which are moved in, or pointers to modules, which stay where they are.
template <class M>
concept SequentialPart = std::derived_from<M, Layer> || std::convertible_to<M, std::unique_ptr<Module>>;

/// y = m_k( ... m_1(m_0(x))): owns its modules, whose names are "0", "1", ...
///
///     Sequential net(Conv2d(1, 8, 5), Relu(), MaxPool2d({.window = 2}), Flatten(), Dense(8 * 12 * 12, 10));
///
/// Pass modules with children, such as another Sequential, as std::unique_ptr: std::make_unique<Block>(...).
class Sequential : public Module {
 public:
  template <class... Parts>
  requires(!(sizeof...(Parts) == 1 && (std::same_as<std::remove_cvref_t<Parts>, Sequential> &&
                                       ...))) explicit Sequential(Parts&&... parts) {
    constexpr bool kAreParts = (SequentialPart<Parts> && ...);
    static_assert(kAreParts,
                  "Sequential takes layers that are moved in and std::unique_ptr; a module with children "
                  "cannot be moved: pass std::make_unique<Block>(...)");
    if constexpr (kAreParts) (add(std::forward<Parts>(parts)), ...);
  }

  /// Appends a module and returns *this. Throws Error when it is null or this Sequential is already part of
  /// another module.
  Sequential& add(std::unique_ptr<Module> module);
  template <std::derived_from<Layer> L>
  Sequential& add(L layer) {
    return add(std::make_unique<L>(std::move(layer)));
  }

  /// Without modules, y = x.
  Tensor forward(const Tensor& x) override;

  std::size_t size() const { return modules_.size(); }
  /// Throws Error when there is no module with this number.
  Module& operator[](std::size_t number) const&;
  Module& operator[](std::size_t number) const&& = delete;

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace adjoint

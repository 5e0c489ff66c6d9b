#pragma once
// Runs something on a stack of 256 KiB, where recursion over a long graph would crash.

#include <functional>
#include <pthread.h>

namespace adjoint {

inline void on_small_stack(const std::function<void()>& body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread;
  pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        (*static_cast<const std::function<void()>*>(argument))();
        return nullptr;
      },
      const_cast<void*>(static_cast<const void*>(&body)));
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace adjoint

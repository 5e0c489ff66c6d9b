#pragma once
// How a kernel source gives out what is compiled for this processor's instruction set: as a Table<T> of
// functions for T = float and double, whose name differs between instruction sets only by namespace.

#include <hwy/highway.h>

/// Inside HWY_NAMESPACE, after `template <class T> constexpr Table<T> kTable = {...};`.
#define ADJOINT_TABLES_OF_INSTRUCTION_SET                       \
  const Table<float>& table_float32() { return kTable<float>; } \
  const Table<double>& table_float64() { return kTable<double>; }

/// Inside HWY_ONCE: name<T>() is the table for this processor.
#define ADJOINT_TABLES_OF_PROCESSOR(name)           \
  HWY_EXPORT(table_float32);                        \
  HWY_EXPORT(table_float64);                        \
  template <class T>                                \
  const Table<T>& name() {                          \
    if constexpr (sizeof(T) == sizeof(float)) {     \
      return HWY_DYNAMIC_DISPATCH(table_float32)(); \
    } else {                                        \
      return HWY_DYNAMIC_DISPATCH(table_float64)(); \
    }                                               \
  }

// The vector registers of an instruction set, by which the sizes of register blocks are chosen. Included once
// per instruction set (see hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_KERNELS_REGISTERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_REGISTERS_INL_H
#undef ADJOINT_KERNELS_REGISTERS_INL_H
#else
#define ADJOINT_KERNELS_REGISTERS_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// Vector registers: AVX-512 and 64-bit ARM have 32.
inline constexpr int kRegisters = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64 ? 32 : 16;

/// Registers that hold a product before it is added to a sum: none where one instruction does both.
inline constexpr int kProductRegisters = HWY_NATIVE_FMA ? 0 : 1;

/// Whether the accumulators and the vectors read for them fit into the registers together.
constexpr bool fits_registers(int sums, int vectors) {
  return sums + vectors + kProductRegisters <= kRegisters;
}

/// The largest number of rows, at most `most`, such that all their sums, sums_of_row for each row, stay in
/// registers beside the vectors that are read at a time.
constexpr int most_rows(int most, int sums_of_row, int vectors) {
  while (!fits_registers(most * sums_of_row, vectors)) --most;
  return most;
}

/// Calls body(r, v) for every accumulator of a block of at most 8 rows. The loops are unrolled, so that each
/// accumulator can have a register.
template <int kRows, int kVectors, class Body>
HWY_INLINE void for_block(const Body& body) {
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) body(r, v);
  }
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

// The tile kernel, for use by sources that are compiled for each instruction set. Included once per
// instruction set (see hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_KERNELS_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_TILE_INL_H
#undef ADJOINT_KERNELS_TILE_INL_H
#else
#define ADJOINT_KERNELS_TILE_INL_H
#endif

#include "autograd/kernels/linalg/tile.h"
#include "autograd/kernels/simd/registers-inl.h"
#include "autograd/kernels/simd/sums-inl.h"
#include "autograd/kernels/simd/transpose-inl.h"
#include "autograd/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

inline constexpr int kTileVectors = 3;

// 12 sums are nearly as fast as 24. For float64, short compilation is more important.
template <class T>
inline constexpr int kTileRows = most_rows(sizeof(T) == 4 ? 8 : 4, kTileVectors, kTileVectors + 1);

/// Whether a tile masks its last vector of B; otherwise it reads a whole one. With 16 registers, there is
/// none left for the mask.
inline constexpr bool kTileMasksB = kMaskedLoadsAreSafe && kRegisters == 32;

/// Computes a tile of rows in [1, kTileRows<T>] and vectors in [1, kTileVectors]. Compiled in tile.cpp.
void run_tile(int rows, int vectors, const Tile<float>& tile);
void run_tile(int rows, int vectors, const Tile<double>& tile);

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

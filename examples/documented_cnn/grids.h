#pragma once
// The vectors, matrices, maps and kernels of the formulas in README.md as arrays of doubles with the same
// indices: from 1, kernels from -2 to 2. An index out of range fails an assertion.

#include <array>
#include <cassert>

#include "examples/support/numbered.h"

namespace documented_cnn::hand_derived {

/// x(k), k = 1..Size.
template <int Size>
using Vector = examples::Numbered<Size>;

/// A(i, j), i = 1..Rows, j = 1..Columns. In memory row by row.
template <int Rows, int Columns>
struct Matrix {
  std::array<double, Rows * Columns> values{};

  constexpr double& operator()(int i, int j) { return values[index(i, j)]; }
  constexpr const double& operator()(int i, int j) const { return values[index(i, j)]; }

 private:
  static constexpr int index(int i, int j) {
    assert(1 <= i && i <= Rows && 1 <= j && j <= Columns);
    return (i - 1) * Columns + (j - 1);
  }
};

/// C_m(i, j) as C(m, i, j), m = 1..Count, i = 1..Rows, j = 1..Columns. In memory map by map, row by row.
template <int Count, int Rows, int Columns>
struct Maps {
  std::array<double, Count * Rows * Columns> values{};

  constexpr double& operator()(int m, int i, int j) { return values[index(m, i, j)]; }
  constexpr const double& operator()(int m, int i, int j) const { return values[index(m, i, j)]; }

  static constexpr bool contains(int i, int j) { return 1 <= i && i <= Rows && 1 <= j && j <= Columns; }

 private:
  static constexpr int index(int m, int i, int j) {
    assert(1 <= m && m <= Count && contains(i, j));
    return ((m - 1) * Rows + (i - 1)) * Columns + (j - 1);
  }
};

/// K_mn(u, v) as K(m, n, u, v): the 5x5 kernel from map m = 1..From to map n = 1..To, u, v = -2..2. In memory
/// [n][m][u][v], which is the usual [out, in, height, width] of a true convolution's weight.
template <int From, int To>
struct Kernels {
  std::array<double, To * From * 5 * 5> values{};

  constexpr double& operator()(int m, int n, int u, int v) { return values[index(m, n, u, v)]; }
  constexpr const double& operator()(int m, int n, int u, int v) const { return values[index(m, n, u, v)]; }

 private:
  static constexpr int index(int m, int n, int u, int v) {
    assert(1 <= m && m <= From && 1 <= n && n <= To && -2 <= u && u <= 2 && -2 <= v && v <= 2);
    return (((n - 1) * From + (m - 1)) * 5 + (u + 2)) * 5 + (v + 2);
  }
};

/// A grid as a convolution indexes its input: by the output's i, j = 1.. and u, v = -2..2 about them. (1, 1)
/// is the first place a whole kernel fits around, two rows and two columns in from the corner, which is (-1,
/// -1).
template <class Grid>
struct Centered {
  Grid& grid;

  constexpr auto& operator()(int i, int j) const { return grid(i + 2, j + 2); }
  constexpr auto& operator()(int m, int i, int j) const { return grid(m, i + 2, j + 2); }
};
template <class Grid>
Centered(Grid&) -> Centered<Grid>;

/// Maps that are 0 beyond their edges, as a full convolution wants them.
template <class Grid>
struct ZeroOutside {
  const Grid& maps;

  constexpr double operator()(int n, int i, int j) const {
    return Grid::contains(i, j) ? maps(n, i, j) : 0.0;
  }
};
template <class Grid>
ZeroOutside(const Grid&) -> ZeroOutside<Grid>;

}  // namespace documented_cnn::hand_derived

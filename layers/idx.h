#pragma once
// IDX files, the format MNIST comes in: a header with the sizes of the axes, then one byte a value.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "layers/file_error.h"

namespace adjoint {

/// An array of unsigned bytes: values holds the product of sizes, in row-major order.
struct IdxFile {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> values;
};

/// The contents of an IDX file of unsigned bytes, plain or gzipped (the first bytes decide, not the name).
/// Throws FileError when it is missing, unreadable, not IDX, of another element type, corrupt, or when it
/// holds fewer or more bytes than its header says. Memory grows with what the file really holds, whatever its
/// header claims.
IdxFile read_idx(const std::string& path);

/// As above, from bytes in memory; name stands for the file in messages.
IdxFile read_idx(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace adjoint

#pragma once
// IDX files, the format MNIST comes in: a header with the sizes of the axes, then one byte a value.

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace adjoint {

/// A file that cannot be read, or does not hold what it should. The message names the file, the rule and what
/// was found.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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

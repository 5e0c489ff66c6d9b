#pragma once
// The error of everything that reads and writes files.

#include <stdexcept>

namespace adjoint {

/// A file that cannot be read or written, or does not hold what it should. The message names the file, the
/// rule and what was found.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace adjoint

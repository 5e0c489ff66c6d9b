#pragma once
// The error of everything that reads and writes files.

#include <stdexcept>

namespace adjoint {

/// A file cannot be read or written, or its contents are not as they should be. The message names the file,
/// the rule and what was found.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace adjoint

#pragma once
// What the fuzz targets share.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "adjoint/io/file_error.h"

namespace adjoint::fuzz {

/// Ends the program, which the fuzzer reports as a finding, unless a property holds.
inline void require(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

/// Every error names its file first and is no longer than a line.
inline void require_good(const FileError& error, std::string_view file) {
  constexpr std::size_t kLine = 400;
  const std::string_view text = error.what();
  require(text.starts_with(file), "the error names the file");
  require(text.size() <= file.size() + kLine, "the error is no longer than a line");
}

}  // namespace adjoint::fuzz

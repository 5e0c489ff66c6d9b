#pragma once
// Files for tests: a temporary directory, and bytes to put there.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace adjoint::support {

using Bytes = std::vector<std::uint8_t>;

/// A new directory, removed with all its contents at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Writes a file, and the directories above it.
void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

/// The contents of a file; empty if it cannot be opened.
template <class Result = std::string>
Result read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Result(std::istreambuf_iterator<char>(file), {});
}

/// bytes as a gzip file would hold them.
Bytes gzip(std::span<const std::uint8_t> bytes);

/// An IDX file: header for unsigned bytes of these sizes, then the values, however many they are.
Bytes idx_bytes(const std::vector<std::uint32_t>& sizes, std::span<const std::uint8_t> values);

}  // namespace adjoint::support

#pragma once
// Files for tests: a directory of its own that vanishes, and bytes to put there.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace adjoint::support {

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

/// bytes as a gzip file would hold them.
std::vector<std::uint8_t> gzip(std::span<const std::uint8_t> bytes);

/// An IDX file: header for unsigned bytes of these sizes, then the values, however many they are.
std::vector<std::uint8_t> idx_bytes(const std::vector<std::uint32_t>& sizes,
                                    std::span<const std::uint8_t> values);

}  // namespace adjoint::support

#pragma once
// Files, for the readers and writers of this folder and for programs: which one a path leads to, opening one,
// and replacing one as a whole.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "layers/file_error.h"

namespace adjoint {

/// False for an empty text and for one with a zero byte: the system's functions would take the part before it
/// for the whole path.
bool can_be_a_path(const std::string& text);

/// Whether what is written to one path would be found at the other. Links are followed, also those that lead
/// to a file that is not there yet. False when that cannot be told, as in a directory that may not be
/// searched.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// A regular file that is open for reading.
struct InputFile {
  std::ifstream stream;
  std::int64_t bytes;  ///< Its size when it was opened.
};

/// Throws FileError when the file is missing, cannot be read or is no regular file.
InputFile open_file(const std::string& path);

/// A new file that takes the place of the one at a path, or vanishes.
///
/// Until finish() its bytes lie in a file .adjoint-partial-XXXXXXXX of the same directory, on which this
/// process holds a lock. A process that is killed loses the lock, so the next replacement in the directory
/// recognises the file that it left behind and removes it.
class FileReplacement {
 public:
  /// Follows symbolic links: what they lead to is replaced, or made. Throws FileError when path cannot be
  /// written or leads to something else than a regular file.
  explicit FileReplacement(const std::string& path);
  ~FileReplacement();
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  void write(std::span<const char> bytes);

  /// Puts the new file in place, on the disk, with the mode of the old one and, where the system allows it,
  /// its owner; a file that is new has the usual mode. Throws FileError, leaving the old file, when the new
  /// one cannot be written.
  void finish();

 private:
  FileReplacement() = default;
  void create(mode_t mode);
  void require(bool success) const;

  std::string path_;                          // As the caller spelt it.
  std::filesystem::path target_, directory_;  // Without links.
  std::filesystem::path partial_;             // Empty when there is none.
  std::FILE* file_ = nullptr;
};

}  // namespace adjoint

#pragma once
// Files, for the readers and writers of this library and for programs: what a path leads to, reading a file,
// and replacing one as a whole.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "adjoint/io/file_error.h"

namespace adjoint {

/// False for an empty text, and for one with a zero byte, where the system's functions would end the path.
bool can_be_a_path(const std::string& text);

/// Whether both paths lead to the same file. Links are followed, also to a file that does not exist yet.
/// False when this cannot be found out, as in a directory without permission to search it.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// Whether a file of this type, regular or directory, is at path; symbolic links are followed. False when
/// nothing is there. Throws FileError when something else is there, and when path cannot be looked at.
/// purpose, "read" or "written", is for the error.
bool exists_as(std::filesystem::file_type type, const std::string& path, std::string_view purpose);

/// A regular file that is open for reading.
class InputFile {
 public:
  /// Throws FileError when the file is missing, cannot be read or is no regular file.
  explicit InputFile(const std::string& path);

  /// Its bytes when it was opened.
  std::int64_t size() const { return size_; }
  /// Makes this the position of the next byte that read() takes.
  void seek(std::int64_t position);
  /// Fills bytes from the front and returns how many there were: fewer than asked for only at the end. Throws
  /// FileError when the file cannot be read.
  std::size_t read(std::span<char> bytes);

 private:
  std::string path_;
  std::ifstream stream_;
  std::int64_t size_ = 0;
};

/// A new file that replaces the one at a path when it is finished, and is removed otherwise.
///
/// Until finish() its bytes lie in a file .adjoint-partial-XXXXXXXX of the same directory, on which this
/// process holds a lock (flock). A process that is killed loses the lock, so the next replacement in the
/// directory recognizes the file that it left behind and removes it. Machines that share a directory must
/// therefore share its locks too. They do not with the mount options local_lock=flock of NFS and localflock
/// of Lustre: there a save on one machine removes the file that another one is writing, and that save fails.
class FileReplacement {
 public:
  /// Follows symbolic links: what they lead to is replaced, or made. Throws FileError when path cannot be
  /// written, leads to something else than a regular file, or to one that cannot be replaced: a mount point,
  /// or another user's file in a directory with the sticky bit.
  explicit FileReplacement(const std::string& path);
  ~FileReplacement();
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  void write(std::span<const char> bytes);

  /// Puts the new file in place, its bytes on the disk first. It has the mode, owner and group of the old
  /// one; where the system does not allow these, it gives no user more access than the old one. A file that
  /// is new has the usual mode. Throws FileError when the new file cannot be written; the old file stays. If
  /// the new file is complete but cannot replace the old one, it stays beside it, and the error says where.
  ///
  /// Then the directory is flushed, where the system can do so. Where it cannot, this is no error: the new
  /// file is in place, but if the machine fails soon after, the old one may be there again.
  void finish();

 private:
  FileReplacement() = default;
  void create(mode_t mode);
  [[noreturn]] void keep_finished();
  void require(bool success) const;

  std::string path_;                          // As the caller wrote it.
  std::filesystem::path target_, directory_;  // Without links.
  std::filesystem::path partial_;             // Empty when there is none.
  std::FILE* file_ = nullptr;
};

}  // namespace adjoint

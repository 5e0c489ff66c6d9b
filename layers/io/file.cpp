#include "layers/io/file.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "adjoint/tensor/check.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartial = ".adjoint-partial-";

const char* kind_of(fs::file_type type) {
  return type == fs::file_type::regular     ? "a regular file"
         : type == fs::file_type::directory ? "a directory"
                                            : "a device, a pipe or a socket";
}

/// The file that path leads to, which need not be there.
fs::path follow_links(fs::path path) {
  constexpr int kMostLinks = 40;  // the system's own limit
  std::error_code error;
  for (int link = 0; link < kMostLinks && fs::is_symlink(fs::symlink_status(path, error)); ++link)
    path = path.parent_path() / fs::read_symlink(path, error);
  return path;
}

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

/// Removes what killed processes left in a directory: partial files that no process has locked. A file that
/// cannot be removed does no harm.
void remove_abandoned(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); entry != fs::directory_iterator();
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (!path.filename().string().starts_with(kPartial)) continue;
    const int file = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    if (entry->is_regular_file(error) && flock(file, LOCK_EX | LOCK_NB) == 0) unlink(path.c_str());
    close(file);
  }
}

/// A number that two processes are unlikely to choose at the same time.
std::uint32_t likely_unused_number() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  constexpr std::uint32_t kSpread = 2654435761;  // keeps processes of neighboring numbers apart
  return static_cast<std::uint32_t>(now.count()) + static_cast<std::uint32_t>(getpid()) * kSpread;
}

/// Whether something is mounted at path itself, such as a single file that a container is given. Kernels
/// before 5.8 cannot say. A device number that differs from the directory's says nothing: overlay file
/// systems have such files.
bool is_mount_point(const fs::path& path) {
#ifdef STATX_ATTR_MOUNT_ROOT
  struct statx status = {};
  return statx(AT_FDCWD, path.c_str(), 0, 0, &status) == 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
  return false;
#endif
}

/// Gives a new file the owner, group and mode of an old one, as far as the system allows it. No user gets
/// more access than the old file gave. Returns false, with errno set, when the mode cannot be set.
bool copy_access(const struct stat& old, int file) {
  mode_t mode = old.st_mode & 07777;
  // The owner first, since a change of owner takes bits from the mode.
  if (fchown(file, old.st_uid, old.st_gid) != 0) {
    constexpr uid_t kSameOwner = -1;
    mode &= 01777;  // no user may run it as the new owner
    if (fchown(file, kSameOwner, old.st_gid) != 0) {
      // The old group now counts as others, some others count as the group.
      const mode_t common = mode >> 3 & mode & 07;
      mode = (mode & 01700) | common << 3 | common;
    }
  }
  return fchmod(file, mode) == 0;
}

/// Makes a file's name survive a power failure, if the system can do so. The file is in place in any case.
void flush_directory(const fs::path& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

}  // namespace

bool can_be_a_path(const std::string& text) { return !text.empty() && text.find('\0') == text.npos; }

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const fs::path end_a = follow_links(a), end_b = follow_links(b);
  return end_a.filename() == end_b.filename() &&
         fs::equivalent(directory_of(end_a), directory_of(end_b), error);
}

bool exists_as(fs::file_type type, const std::string& path, std::string_view purpose) {
  check<FileError>(can_be_a_path(path), "a path that is empty or holds a zero byte cannot be {}", purpose);
  std::error_code error;
  const fs::file_type found = fs::status(path, error).type();
  if (found == fs::file_type::not_found) return false;
  check<FileError>(found != fs::file_type::none, "{}: cannot be {}: {}", path, purpose, error.message());
  check<FileError>(found == type, "{}: must be {}, but is {}", path, kind_of(type), kind_of(found));
  return true;
}

InputFile::InputFile(const std::string& path) : path_(path) {
  check<FileError>(exists_as(fs::file_type::regular, path, "read"), "{}: no such file", path);
  stream_.open(path, std::ios::binary);
  check<FileError>(stream_.is_open(), "{}: cannot be read: {}", path, std::strerror(errno));
  std::error_code error;
  size_ = static_cast<std::int64_t>(fs::file_size(path, error));
  check<FileError>(!error, "{}: cannot be read: {}", path, error.message());
}

void InputFile::seek(std::int64_t position) {
  stream_.clear();  // an end that read() has found
  stream_.seekg(position);
}

std::size_t InputFile::read(std::span<char> bytes) {
  errno = 0;
  stream_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  check<FileError>(!stream_.bad(), "{}: cannot be read: {}", path_, std::strerror(errno));
  return static_cast<std::size_t>(stream_.gcount());
}

// The constructor that this one calls makes a whole object, so that the destructor cleans up after errors.
FileReplacement::FileReplacement(const std::string& path) : FileReplacement() {
  const bool exists = exists_as(fs::file_type::regular, path, "written");
  path_ = path;
  target_ = follow_links(path);
  check<FileError>(target_.has_filename(), "{}: cannot be written: it names a directory", path);
  directory_ = directory_of(target_);
  remove_abandoned(directory_);

  if (!exists) {
    create(0666);
    return;
  }
  struct stat old, folder;
  require(stat(target_.c_str(), &old) == 0 && access(target_.c_str(), W_OK) == 0 &&
          stat(directory_.c_str(), &folder) == 0);
  // In these cases rename() would fail.
  const uid_t user = geteuid();
  check<FileError>(
      (folder.st_mode & S_ISVTX) == 0 || user == 0 || user == old.st_uid || user == folder.st_uid,
      "{}: cannot be written: it belongs to another user, and the sticky bit of its directory lets only its "
      "owner replace it",
      path);
  check<FileError>(
      !is_mount_point(target_),
      "{}: cannot be written: it is a mount point, which cannot be replaced; mount its directory instead",
      path);
  create(old.st_mode & 0700);  // its group may differ from the old file's
  require(copy_access(old, fileno(file_)));
}

FileReplacement::~FileReplacement() {
  if (!partial_.empty()) unlink(partial_.c_str());
  if (file_ != nullptr) std::fclose(file_);
}

void FileReplacement::create(mode_t mode) {
  for (std::uint32_t number = likely_unused_number();; ++number) {
    const fs::path partial = directory_ / fmt::format("{}{:08x}", kPartial, number);
    const int file = open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0 && errno == EEXIST) continue;
    require(file >= 0);
    partial_ = partial;
    file_ = fdopen(file, "wb");
    if (file_ == nullptr) {
      const int reason = errno;
      close(file);
      errno = reason;
    }
    require(file_ != nullptr);
    flock(file, LOCK_EX);  // on a file system without locks, no process treats the file as abandoned
    if (access(partial_.c_str(), F_OK) == 0) return;
    std::fclose(std::exchange(file_, nullptr));  // another process removed it before it was locked
  }
}

void FileReplacement::write(std::span<const char> bytes) {
  if (!bytes.empty()) require(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size());
}

void FileReplacement::finish() {
  require(std::fflush(file_) == 0 && fsync(fileno(file_)) == 0);
  if (std::rename(partial_.c_str(), target_.c_str()) != 0) keep_finished();
  // The lock lasts until the name is gone.
  partial_.clear();
  std::fclose(std::exchange(file_, nullptr));
  flush_directory(directory_);
}

void FileReplacement::keep_finished() {
  const int reason = errno;
  require(access(partial_.c_str(), F_OK) == 0);  // it is lost when its directory was removed meanwhile
  // The next replacement would remove a file of the old name.
  const std::string number = partial_.filename().string().substr(kPartial.size());
  const std::string kept = fmt::format("{}.finished-{}", target_.string(), number);
  fs::path left = std::exchange(partial_, {});
  if (std::rename(left.c_str(), kept.c_str()) == 0) left = kept;
  throw FileError(fmt::format("{}: cannot be written: {}; the finished file is left as {}", path_,
                              std::strerror(reason), left.string()));
}

void FileReplacement::require(bool success) const {
  check<FileError>(success, "{}: cannot be written: {}", path_, std::strerror(errno));
}

}  // namespace adjoint

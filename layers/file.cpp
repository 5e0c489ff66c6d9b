#include "layers/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <random>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "autograd/check.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartial = ".adjoint-partial-";

const char* kind_of(fs::file_type type) {
  return type == fs::file_type::directory ? "a directory" : "a device, a pipe or a socket";
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

/// Removes what killed processes left in a directory: partial files that nobody holds a lock on. One that
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

/// Makes a file's name outlast a power failure.
bool flush_directory(const fs::path& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno == EACCES;  // one may write to a directory that one may not read
  const bool flushed = fsync(file) == 0 || errno == EINVAL;  // not every file system can
  const int reason = errno;
  close(file);
  errno = reason;
  return flushed;
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

InputFile open_file(const std::string& path) {
  check<FileError>(can_be_a_path(path), "a file cannot be read: its path is empty or holds a zero byte");
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  check<FileError>(type != fs::file_type::not_found, "{}: no such file", path);
  check<FileError>(type != fs::file_type::none, "{}: cannot be read: {}", path, error.message());
  check<FileError>(type == fs::file_type::regular, "{}: must be a regular file, but is {}", path,
                   kind_of(type));
  InputFile file{std::ifstream(path, std::ios::binary), 0};
  check<FileError>(file.stream.is_open(), "{}: cannot be read: {}", path, std::strerror(errno));
  file.bytes = static_cast<std::int64_t>(fs::file_size(path, error));
  check<FileError>(!error, "{}: cannot be read: {}", path, error.message());
  return file;
}

// The constructor that this one calls makes a whole object, so that the destructor cleans up after errors.
FileReplacement::FileReplacement(const std::string& path) : FileReplacement() {
  check<FileError>(can_be_a_path(path), "a file cannot be written: its path is empty or holds a zero byte");
  path_ = path;
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  check<FileError>(type != fs::file_type::none, "{}: cannot be written: {}", path, error.message());
  target_ = follow_links(path);
  const bool exists = type != fs::file_type::not_found;
  check<FileError>(!exists || type == fs::file_type::regular, "{}: cannot be written: it is {}", path,
                   kind_of(type));
  check<FileError>(target_.has_filename(), "{}: cannot be written: it names a directory", path);
  directory_ = directory_of(target_);
  remove_abandoned(directory_);

  if (!exists) {
    create(0666);
    return;
  }
  struct stat old;
  require(stat(target_.c_str(), &old) == 0 && access(target_.c_str(), W_OK) == 0);
  create(old.st_mode & 0777);
  // The owner first, since a change of owner takes bits from the mode. Where the system forbids it, the new
  // file stays with whoever saves.
  if (fchown(fileno(file_), old.st_uid, old.st_gid) != 0) errno = 0;
  require(fchmod(fileno(file_), old.st_mode & 07777) == 0);
}

FileReplacement::~FileReplacement() {
  if (!partial_.empty()) unlink(partial_.c_str());
  if (file_ != nullptr) std::fclose(file_);
}

void FileReplacement::create(mode_t mode) {
  std::random_device random;
  while (file_ == nullptr) {
    partial_ = directory_ / fmt::format("{}{:08x}", kPartial, random());
    const int file = open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) partial_.clear();
    if (file < 0 && errno == EEXIST) continue;
    require(file >= 0);
    flock(file, LOCK_EX);  // where a file system has no locks, nobody can take the file for abandoned
    struct stat now;
    if (fstat(file, &now) == 0 && now.st_nlink > 0) file_ = fdopen(file, "wb");
    if (file_ == nullptr) close(file);  // somebody else removed it before it was locked
  }
}

void FileReplacement::write(std::span<const char> bytes) {
  if (!bytes.empty()) require(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size());
}

void FileReplacement::finish() {
  require(std::fflush(file_) == 0 && fsync(fileno(file_)) == 0);
  // The lock lasts until the name is gone.
  require(std::rename(partial_.c_str(), target_.c_str()) == 0);
  partial_.clear();
  std::fclose(std::exchange(file_, nullptr));
  require(flush_directory(directory_));
}

void FileReplacement::require(bool success) const {
  check<FileError>(success, "{}: cannot be written: {}", path_, std::strerror(errno));
}

}  // namespace adjoint

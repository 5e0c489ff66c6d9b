#include "tests/layers/io/replacement.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "layers/io/file.h"
#include "tests/support/throws.h"

namespace adjoint {

Calls calls;

namespace {

/// Notes a call; false when it is to fail.
bool note(std::string name) {
  const int number = static_cast<int>(calls.names.size());
  calls.names.push_back(std::move(name));
  if (number == calls.die_at) raise(SIGKILL);
  errno = EIO;
  return number != calls.fail_at;
}

const char* kind_of(int file) {
  struct stat status = {};
  fstat(file, &status);
  return S_ISDIR(status.st_mode) ? "directory" : "file";
}

template <class... Args>
int call(long number, Args... args) {
  return static_cast<int>(syscall(number, args...));
}

}  // namespace
}  // namespace adjoint

// These take the place of the C library's in this program.
int fsync(int file) {
  return adjoint::note(std::string("fsync ") + adjoint::kind_of(file)) ? adjoint::call(SYS_fsync, file) : -1;
}
extern "C" int rename(const char* from, const char* to) noexcept {
  return adjoint::note("rename") ? adjoint::call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) : -1;
}
extern "C" int fchmod(int file, mode_t mode) noexcept {
  struct stat status = {};
  fstat(file, &status);
  adjoint::calls.early_mode = status.st_mode & 07777;
  return adjoint::note("fchmod") ? adjoint::call(SYS_fchmod, file, mode) : -1;
}
extern "C" int flock(int file, int operation) noexcept {
  if (std::exchange(adjoint::calls.steal, false))
    std::filesystem::remove(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file)));
  return adjoint::note("flock") ? adjoint::call(SYS_flock, file, operation) : -1;
}
extern "C" FILE* fdopen(int file, const char* mode) noexcept {
  if (std::exchange(adjoint::calls.fail_fdopen, false)) {
    errno = ENOMEM;
    return nullptr;
  }
  static const auto usual = reinterpret_cast<FILE* (*)(int, const char*)>(dlsym(RTLD_NEXT, "fdopen"));
  return usual(file, mode);
}
extern "C" int unlink(const char* path) noexcept {
  return adjoint::note("unlink") ? adjoint::call(SYS_unlinkat, AT_FDCWD, path, 0) : -1;
}

namespace adjoint {

std::string content(char letter) { return std::string(3'000'000, letter); }

void save(const std::filesystem::path& path, char letter) {
  FileReplacement file(path);
  file.write(content(letter));
  file.finish();
}

void Replacement::put(const std::string& name, const std::string& text) const {
  support::write_file(path(name), std::vector<std::uint8_t>(text.begin(), text.end()));
}

Names Replacement::files() const {
  Names names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

mode_t Replacement::mode(const std::string& name) const {
  struct stat status = {};
  EXPECT_EQ(stat(path(name).c_str(), &status), 0);
  return status.st_mode & 07777;
}

std::string Replacement::error_of(const std::filesystem::path& path) {
  return support::error_of<FileError>([&] { save(path, 'x'); });
}

}  // namespace adjoint

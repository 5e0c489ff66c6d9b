#pragma once
// What the tests of replacing a file share. The system's calls are noted, and each of them can be made to
// fail or to kill the process.

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/support/files.h"

namespace adjoint {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

/// What the system was asked for, in order, and what to do at one of the calls.
struct Calls {
  Names names;
  int fail_at = -1, die_at = -1;  // Counted from 0.
  bool steal = false;             // Remove the next file before it is locked.
  bool fail_fdopen = false;       // The next one.
  mode_t early_mode = 0;          // What a file had before its mode was set.
};
extern Calls calls;

/// What save() writes: longer than any buffer on the way.
std::string content(char letter);

/// Replaces the file at path.
void save(const fs::path& path, char letter);

class Replacement : public ::testing::Test {
 protected:
  Replacement() { calls = {}; }
  ~Replacement() override { calls = {}; }

  fs::path path(const std::string& name = "net") const { return directory_.path() / name; }
  void put(const std::string& name, const std::string& text) const;
  Names files() const;
  mode_t mode(const std::string& name = "net") const;
  /// The message of the error that a replacement of path ends with, or "no error".
  static std::string error_of(const fs::path& path);

  support::TemporaryDirectory directory_;
};

}  // namespace adjoint

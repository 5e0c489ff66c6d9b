// Replacing a file: the order of the system's calls, what remains when one fails or the process is killed at
// one, savers at the same time, links, modes.

#include "layers/io/file.h"

#include <algorithm>
#include <csignal>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <grp.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/support/files.h"

namespace adjoint {
namespace {

/// What the system was asked for, in order, and what to do at one of the calls.
struct Calls {
  std::vector<std::string> names;
  int fail_at = -1, die_at = -1;  // Counted from 0.
  bool steal = false;             // Remove the next file before it is locked.
  bool fail_fdopen = false;       // The next one.
  mode_t early_mode = 0;          // What a file had before its mode was set.
} calls;

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
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// What save() writes: longer than any buffer on the way.
std::string content(char letter) { return std::string(3'000'000, letter); }

void save(const fs::path& path, char letter) {
  FileReplacement file(path);
  file.write(content(letter));
  file.finish();
}

/// Runs what in a process of its own; its exit status as of waitpid().
int in_child(const std::function<void()>& what) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      what();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

class Replacement : public ::testing::Test {
 protected:
  Replacement() { calls = {}; }
  ~Replacement() override { calls = {}; }

  fs::path path(const std::string& name = "net") const { return directory_.path() / name; }
  void put(const std::string& name, const std::string& text) const {
    support::write_file(path(name), std::vector<std::uint8_t>(text.begin(), text.end()));
  }
  Names files() const {
    Names names;
    for (const auto& entry : fs::directory_iterator(directory_.path()))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  mode_t mode(const std::string& name = "net") const {
    struct stat status = {};
    EXPECT_EQ(stat(path(name).c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  /// The message of the error that a replacement of path ends with.
  static std::string error_of(const fs::path& path) {
    try {
      save(path, 'x');
    } catch (const FileError& error) {
      return error.what();
    }
    return "no error";
  }

  support::TemporaryDirectory directory_;
};

TEST_F(Replacement, BytesReachTheDiskBeforeTheNameAndThenTheDirectory) {
  save(path(), 'a');
  EXPECT_EQ(calls.names, (Names{"flock", "fsync file", "rename", "fsync directory"}));
  EXPECT_EQ(read_file(path()), content('a'));
  calls = {};
  save(path(), 'b');
  EXPECT_EQ(calls.names, (Names{"flock", "fchmod", "fsync file", "rename", "fsync directory"}));
  EXPECT_EQ(read_file(path()), content('b'));
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, ACallThatFailsIsReportedAndLeavesTheOldFile) {
  for (const int failing : {1, 2}) {  // fchmod, fsync
    save(path(), 'a');
    calls = {.names = {}, .fail_at = failing};
    EXPECT_EQ(error_of(path()), path().string() + ": cannot be written: Input/output error") << failing;
    EXPECT_EQ(read_file(path()), content('a')) << failing;
    EXPECT_EQ(files(), Names{"net"}) << failing;
    calls = {};
  }
}

TEST_F(Replacement, AFileThatCannotTakeItsPlaceIsKept) {
  save(path(), 'a');
  calls = {.names = {}, .fail_at = 3};  // rename
  const std::string error = error_of(path());
  calls = {};
  const Names found = files();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0], "net");
  EXPECT_TRUE(found[1].starts_with("net.finished-")) << found[1];
  EXPECT_EQ(error, path().string() +
                       ": cannot be written: Input/output error; the finished file is left as " +
                       path(found[1]).string());
  save(path("other"), 'b');  // removes what is abandoned
  EXPECT_EQ(read_file(path()), content('a'));
  EXPECT_EQ(read_file(path(found[1])), content('x'));
}

TEST_F(Replacement, AFileThatCanTakeNoNameKeepsItsOwn) {
  const std::string longest(255, 'n');  // no name is left that is longer
  calls.fail_at = 2;                    // rename
  const std::string error = error_of(path(longest));
  calls = {};
  ASSERT_EQ(files().size(), 1u);
  const fs::path kept = path(files()[0]);
  EXPECT_EQ(error, path(longest).string() +
                       ": cannot be written: Input/output error; the finished file is left as " +
                       kept.string());
  EXPECT_EQ(read_file(kept), content('x'));
}

TEST_F(Replacement, AFileThatSomebodyRemovedIsNotSaidToBeKept) {
  FileReplacement file(path());
  file.write(std::string("lost"));
  fs::remove(path(files()[0]));
  try {
    file.finish();
    FAIL() << "no error";
  } catch (const FileError& error) {
    EXPECT_EQ(error.what(), path().string() + ": cannot be written: No such file or directory");
  }
  EXPECT_EQ(files(), Names{});
}

TEST_F(Replacement, ADirectoryThatCannotBeFlushedIsNoError) {
  calls.fail_at = 3;
  save(path(), 'a');
  EXPECT_EQ(calls.names, (Names{"flock", "fsync file", "rename", "fsync directory"}));
  EXPECT_EQ(read_file(path()), content('a'));
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, AFileThatCannotBeMadeLeavesNothing) {
  save(path(), 'a');
  calls.fail_fdopen = true;
  EXPECT_EQ(error_of(path()), path().string() + ": cannot be written: Cannot allocate memory");
  EXPECT_EQ(read_file(path()), content('a'));
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, WorksWithoutLocks) {
  put(".adjoint-partial-0badcafe", "somebody's");
  calls.fail_at = 0;  // nobody can tell whether that file is abandoned
  save(path(), 'a');
  EXPECT_EQ(files(), (Names{".adjoint-partial-0badcafe", "net"}));
  fs::remove(path(".adjoint-partial-0badcafe"));
  calls = {.names = {}, .fail_at = 0};
  save(path(), 'b');
  EXPECT_EQ(read_file(path()), content('b'));
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, KilledAtEachCallLeavesAWholeFileAndTheNextSaveCleansUp) {
  constexpr int kCalls = 5;
  for (int moment = 0; moment < kCalls; ++moment) {
    save(path(), 'a');
    const int status = in_child([&] {
      calls = {.names = {}, .die_at = moment};
      save(path(), 'b');
    });
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << moment;
    EXPECT_EQ(read_file(path()), content(moment < kCalls - 1 ? 'a' : 'b')) << moment;
    EXPECT_EQ(files().size(), moment < kCalls - 1 ? 2u : 1u) << moment;
    save(path("other"), 'c');
    EXPECT_EQ(files(), (Names{"net", "other"})) << moment;
    fs::remove(path("other"));
  }
}

TEST_F(Replacement, KilledAtAnyTimeLeavesAWholeFileAndTheNextSaveCleansUp) {
  save(path(), 'a');
  for (int moment = 0; moment < 40; ++moment) {
    const pid_t child = fork();
    if (child == 0) {
      while (true) save(path(), 'b');
    }
    usleep(static_cast<useconds_t>(moment * 500));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    waitpid(child, nullptr, 0);
    const std::string found = read_file(path());
    EXPECT_TRUE(found == content('a') || found == content('b')) << found.size() << " bytes";
    EXPECT_LE(files().size(), 2u);
    if (moment % 2 == 0) {
      save(path(), 'a');
      EXPECT_EQ(files(), Names{"net"});
    }
  }
}

TEST_F(Replacement, SaversAtTheSameTimeDoNotMeet) {
  std::vector<pid_t> children;
  for (const char letter : {'a', 'b', 'c'}) {
    children.push_back(fork());
    if (children.back() == 0) {
      try {
        for (int k = 0; k < 40; ++k) save(path(k % 2 == 0 ? "net" : "other"), letter);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        _exit(1);
      }
      _exit(0);
    }
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(files(), (Names{"net", "other"}));
  for (const char* name : {"net", "other"}) {
    const std::string found = read_file(path(name));
    EXPECT_TRUE(found == content('a') || found == content('b') || found == content('c'));
  }
}

TEST_F(Replacement, OneThatIsUnderWayIsNotTakenForAbandoned) {
  FileReplacement slow(path());
  slow.write(std::string("slow"));
  save(path(), 'a');
  EXPECT_EQ(in_child([&] { save(path(), 'b'); }), 0);
  EXPECT_EQ(read_file(path()), content('b'));
  slow.finish();
  EXPECT_EQ(read_file(path()), "slow");
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, OneThatIsRemovedBeforeItIsLockedIsMadeAgain) {
  calls.steal = true;
  save(path(), 'a');
  EXPECT_EQ(read_file(path()), content('a'));
  EXPECT_EQ(files(), Names{"net"});
}

TEST_F(Replacement, FilesOfOthersStay) {
  for (const char* name : {"net.partial0", "net.probe", "net.tmp", "adjoint-partial-01234567", ".adjoint"})
    put(name, "mine");
  fs::create_directory(path(".adjoint-partial-01234567"));
  fs::create_symlink("net.probe", path(".adjoint-partial-89abcdef"));
  const Names before = files();
  { FileReplacement{path()}; }
  EXPECT_EQ(files(), before);
  save(path(), 'a');
  EXPECT_EQ(files().size(), before.size() + 1);
  EXPECT_EQ(read_file(path("net.probe")), "mine");
}

TEST_F(Replacement, ANewFileHasTheUsualMode) {
  const mode_t usual = umask(027);
  save(path(), 'a');
  umask(usual);
  EXPECT_EQ(mode(), 0640u);
}

TEST_F(Replacement, ModeAndOwnerStay) {
  for (const mode_t kept : {0600u, 0644u, 0666u, 0660u, 0750u}) {
    put("net", "old");
    ASSERT_EQ(chmod(path().c_str(), kept), 0);
    const mode_t usual = umask(077);
    save(path(), 'a');
    umask(usual);
    EXPECT_EQ(mode(), kept);
  }
  if (geteuid() != 0) return;  // only root gives files away
  constexpr uid_t kOwner = 12345, kGroup = 23456;
  ASSERT_EQ(chown(path().c_str(), kOwner, kGroup), 0);
  ASSERT_EQ(chmod(path().c_str(), 02750), 0);
  save(path(), 'b');
  struct stat now = {};
  ASSERT_EQ(stat(path().c_str(), &now), 0);
  EXPECT_EQ(now.st_uid, kOwner);
  EXPECT_EQ(now.st_gid, kGroup);
  EXPECT_EQ(mode(), 02750u);
}

TEST_F(Replacement, ANewFileIsNeverMoreReadableThanTheOldOne) {
  put("net", "secret");
  for (const mode_t kept : {0600u, 0660u}) {
    ASSERT_EQ(chmod(path().c_str(), kept), 0);
    const FileReplacement file(path());
    EXPECT_EQ(calls.early_mode, 0600u);  // before its group is known to be the old one's
    for (const std::string& name : files()) EXPECT_EQ(mode(name), kept) << name;
  }
}

TEST_F(Replacement, AFileOfAnotherUserStaysAsClosedAsItWas) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  constexpr uid_t kOwner = 12345, kUser = 65534;
  constexpr gid_t kOld = 4444, kNew = 65534;
  ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  struct Case {
    mode_t old_mode;
    bool member;  // of the old group
    gid_t group;
    mode_t mode;
  };
  for (const Case& c : std::initializer_list<Case>{
           {0660, true, kOld, 0660},    // the group can stay
           {0664, true, kOld, 0664},    //
           {06770, true, kOld, 0770},   // nobody may act as the new owner
           {0666, false, kNew, 0666},   // where it cannot, it may do what everybody may
           {0662, false, kNew, 0622},   //
           {0616, false, kNew, 0600},   // and everybody what the old one might
           {06777, false, kNew, 0777},  //
       }) {
    SCOPED_TRACE(::testing::Message() << std::oct << c.old_mode);
    put("net", "old");
    ASSERT_EQ(chown(path().c_str(), kOwner, kOld), 0);
    ASSERT_EQ(chmod(path().c_str(), c.old_mode), 0);
    const int status = in_child([&] {
      if (chdir(directory_.path().c_str()) != 0) _exit(3);
      if (setgroups(c.member ? 1 : 0, &kOld) != 0 || setgid(kNew) != 0 || setuid(kUser) != 0) _exit(2);
      FileReplacement("net").finish();  // without a write, which might take bits from the mode
    });
    ASSERT_EQ(status, 0);
    EXPECT_EQ(read_file(path()), "");
    struct stat now = {};
    ASSERT_EQ(stat(path().c_str(), &now), 0);
    EXPECT_EQ(now.st_uid, kUser);
    EXPECT_EQ(now.st_gid, c.group);
    EXPECT_EQ(mode(), c.mode) << std::oct << mode();
    fs::remove(path());
  }
}

TEST_F(Replacement, PlacesWithoutPermission) {
  put("read-only", "old");
  fs::create_directory(path("closed"));
  chmod(path("read-only").c_str(), 0444);
  chmod(path("closed").c_str(), 0555);
  chmod(directory_.path().c_str(), 0777);
  // Root may write everywhere.
  const int status = in_child([&] {
    constexpr uid_t kNobody = 65534;
    if (chdir(directory_.path().c_str()) != 0)
      _exit(4);  // nobody may not come here by a private folder above
    if (geteuid() == 0 && setuid(kNobody) != 0) _exit(2);
    for (const std::string name : {"read-only", "closed/net"}) {
      if (error_of(name) != name + ": cannot be written: Permission denied") _exit(3);
    }
  });
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(path("read-only")), "old");
  EXPECT_EQ(files(), (Names{"closed", "read-only"}));
}

TEST_F(Replacement, AStickyDirectoryWithAFileOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  constexpr uid_t kOwner = 12345, kUser = 65534;
  const auto start_and_save = [&](uid_t user) {
    return in_child([&] {
      if (chdir(directory_.path().c_str()) != 0) _exit(3);
      if (setuid(user) != 0) _exit(2);
      try {
        FileReplacement{"net"};
      } catch (const FileError& error) {
        const std::string expected =
            "net: cannot be written: it belongs to another user, and the sticky bit of its directory lets "
            "only "
            "its owner replace it";
        _exit(error.what() == expected ? 4 : 5);
      }
      save("net", 'a');
    });
  };
  const auto result = [&](mode_t folder_mode, uid_t folder_owner, uid_t user) {
    put("net", "old");
    EXPECT_EQ(chmod(path().c_str(), 0666), 0);
    EXPECT_EQ(chown(path().c_str(), kOwner, kOwner), 0);
    EXPECT_EQ(chown(directory_.path().c_str(), folder_owner, 0), 0);
    EXPECT_EQ(chmod(directory_.path().c_str(), folder_mode), 0);
    const int status = WEXITSTATUS(start_and_save(user));
    EXPECT_EQ(read_file(path()), status == 0 ? content('a') : "old");
    EXPECT_EQ(files(), Names{"net"});
    fs::remove(path());
    return status;
  };
  EXPECT_EQ(result(01777, 0, kUser), 4);
  EXPECT_EQ(result(0777, 0, kUser), 0);
  EXPECT_EQ(result(01777, kUser, kUser), 0);
  EXPECT_EQ(result(01777, 0, kOwner), 0);
  EXPECT_EQ(result(01777, kUser, 0), 0);
}

TEST_F(Replacement, AMountPoint) {
  put("net", "old");
  put("outside", "old");
  constexpr int kNoMounts = 77;
  const int status = in_child([&] {
    // In a namespace of the child's own, which ends with it.
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0 ||
        mount(path("outside").c_str(), path().c_str(), nullptr, MS_BIND, nullptr) != 0)
      _exit(kNoMounts);
    try {
      FileReplacement{path()};
    } catch (const FileError& error) {
      const std::string expected =
          path().string() +
          ": cannot be written: it is a mount point, which cannot be replaced; mount "
          "its directory instead";
      _exit(error.what() == expected ? 4 : 5);
    }
  });
  if (WEXITSTATUS(status) == kNoMounts) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(WEXITSTATUS(status), 4);
  EXPECT_EQ(read_file(path("outside")), "old");
  EXPECT_EQ(files(), (Names{"net", "outside"}));
}

TEST_F(Replacement, ADirectoryThatMayBeWrittenToButNotRead) {
  fs::create_directory(path("blind"));
  chmod(path("blind").c_str(), 0333);
  chmod(directory_.path().c_str(), 0777);
  const int status = in_child([&] {
    constexpr uid_t kNobody = 65534;
    // Before, for nobody may not come here when the folder above is private.
    if (chdir(directory_.path().c_str()) != 0) _exit(3);
    if (geteuid() == 0 && setuid(kNobody) != 0) _exit(2);  // root may read everything
    save("blind/net", 'a');
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path("blind/net")), content('a'));
  chmod(path("blind").c_str(), 0777);
}

TEST_F(Replacement, LinksAreFollowedAndStay) {
  fs::create_directories(path("far/away"));
  put("far/away/target", "old");
  fs::create_symlink("far/away/target", path("relative"));
  fs::create_symlink(path("relative"), path("chain"));
  fs::create_symlink("../fresh", path("far/dangling"));
  save(path("chain"), 'a');
  EXPECT_EQ(read_file(path("far/away/target")), content('a'));
  save(path("far/dangling"), 'b');
  EXPECT_FALSE(fs::is_symlink(path("fresh")));
  EXPECT_EQ(read_file(path("fresh")), content('b'));
  for (const char* link : {"relative", "chain", "far/dangling"})
    EXPECT_TRUE(fs::is_symlink(path(link))) << link;
  EXPECT_EQ(files(), (Names{"chain", "far", "fresh", "relative"}));

  fs::create_symlink("loop", path("loop"));
  EXPECT_EQ(error_of(path("loop")),
            path("loop").string() + ": cannot be written: Too many levels of symbolic links");
}

TEST_F(Replacement, AFileInTheWorkingDirectory) {
  EXPECT_EQ(in_child([&] {
              fs::current_path(directory_.path());
              save("net", 'a');
            }),
            0);
  EXPECT_EQ(read_file(path()), content('a'));
}

}  // namespace
}  // namespace adjoint

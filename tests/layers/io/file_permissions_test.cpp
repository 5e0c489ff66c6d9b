// Replacing a file: its mode and owner, and places where a user has only some of the permissions.

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/io/file.h"
#include "tests/layers/io/replacement.h"
#include "tests/support/child_process.h"
#include "tests/support/files.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::read_file;

/// New files lack these permissions until the end of the scope.
class WithUmask {
 public:
  explicit WithUmask(mode_t mask) : before_(umask(mask)) {}
  ~WithUmask() { umask(before_); }
  WithUmask(const WithUmask&) = delete;
  WithUmask& operator=(const WithUmask&) = delete;

 private:
  const mode_t before_;
};

TEST_F(Replacement, ANewFileHasTheUsualMode) {
  const WithUmask mask(027);
  save(path(), 'a');
  EXPECT_EQ(mode(), 0640u);
}

TEST_F(Replacement, ModeAndOwnerStay) {
  for (const mode_t kept : {0600u, 0644u, 0666u, 0660u, 0750u}) {
    put("net", "old");
    ASSERT_EQ(chmod(path().c_str(), kept), 0);
    const WithUmask mask(077);
    save(path(), 'a');
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
           {06770, true, kOld, 0770},   // no user may act as the new owner
           {0666, false, kNew, 0666},   // otherwise, group and others get only
           {0662, false, kNew, 0622},   //
           {0616, false, kNew, 0600},   // what both of them had
           {06777, false, kNew, 0777},  //
       }) {
    SCOPED_TRACE(::testing::Message() << std::oct << c.old_mode);
    put("net", "old");
    ASSERT_EQ(chown(path().c_str(), kOwner, kOld), 0);
    ASSERT_EQ(chmod(path().c_str(), c.old_mode), 0);
    const std::string end = in_child([&]() -> int {
      if (chdir(directory_.path().c_str()) != 0) _exit(3);
      if (setgroups(c.member ? 1 : 0, &kOld) != 0 || setgid(kNew) != 0 || setuid(kUser) != 0) _exit(2);
      FileReplacement("net").finish();  // without a write, which might remove bits from the mode
      _exit(kChildRight);
    });
    ASSERT_EQ(end, kRight);
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
  const std::string end = in_child([&]() -> int {
    constexpr uid_t kNobody = 65534;
    if (chdir(directory_.path().c_str()) != 0)
      _exit(4);  // the user nobody cannot enter this folder if one above is private
    if (geteuid() == 0 && setuid(kNobody) != 0) _exit(2);
    for (const std::string name : {"read-only", "closed/net"}) {
      if (error_of(name) != name + ": cannot be written: Permission denied") _exit(3);
    }
    _exit(kChildRight);
  });
  EXPECT_EQ(end, kRight);
  EXPECT_EQ(read_file(path("read-only")), "old");
  EXPECT_EQ(files(), (Names{"closed", "read-only"}));
}

TEST_F(Replacement, AStickyDirectoryWithAFileOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  constexpr uid_t kOwner = 12345, kUser = 65534;
  constexpr int kRefused = 4;
  const std::string refused = "exit code " + std::to_string(kRefused);
  const auto save_as = [&](uid_t user) {
    return in_child([&]() -> int {
      if (chdir(directory_.path().c_str()) != 0) _exit(3);
      if (setuid(user) != 0) _exit(2);
      const std::string error = support::error_of<FileError>([] { FileReplacement{"net"}; });
      if (error == "no error") {
        save("net", 'a');
        _exit(kChildRight);
      }
      const bool is_expected =
          error ==
          "net: cannot be written: it belongs to another user, and the sticky bit of its directory lets only "
          "its owner replace it";
      _exit(is_expected ? kRefused : 5);
    });
  };
  const auto result = [&](mode_t folder_mode, uid_t folder_owner, uid_t user) {
    put("net", "old");
    EXPECT_EQ(chmod(path().c_str(), 0666), 0);
    EXPECT_EQ(chown(path().c_str(), kOwner, kOwner), 0);
    EXPECT_EQ(chown(directory_.path().c_str(), folder_owner, 0), 0);
    EXPECT_EQ(chmod(directory_.path().c_str(), folder_mode), 0);
    std::string end = save_as(user);
    EXPECT_EQ(read_file(path()), end == kRight ? content('a') : "old");
    EXPECT_EQ(files(), Names{"net"});
    fs::remove(path());
    return end;
  };
  EXPECT_EQ(result(01777, 0, kUser), refused);
  EXPECT_EQ(result(0777, 0, kUser), kRight);
  EXPECT_EQ(result(01777, kUser, kUser), kRight);
  EXPECT_EQ(result(01777, 0, kOwner), kRight);
  EXPECT_EQ(result(01777, kUser, 0), kRight);
}

TEST_F(Replacement, AMountPoint) {
  put("net", "old");
  put("outside", "old");
  constexpr int kNoMounts = 77;
  const std::string end = in_child([&]() -> int {
    // In a namespace of the child's own, which ends with it.
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0 ||
        mount(path("outside").c_str(), path().c_str(), nullptr, MS_BIND, nullptr) != 0)
      _exit(kNoMounts);
    const std::string expected = path().string() +
                                 ": cannot be written: it is a mount point, which cannot be replaced; mount "
                                 "its directory instead";
    _exit(support::error_of<FileError>([&] { FileReplacement{path()}; }) == expected ? kChildRight : 1);
  });
  if (end == "exit code " + std::to_string(kNoMounts)) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(end, kRight);
  EXPECT_EQ(read_file(path("outside")), "old");
  EXPECT_EQ(files(), (Names{"net", "outside"}));
}

TEST_F(Replacement, ADirectoryThatMayBeWrittenToButNotRead) {
  fs::create_directory(path("blind"));
  chmod(path("blind").c_str(), 0333);
  chmod(directory_.path().c_str(), 0777);
  const std::string end = in_child([&]() -> int {
    constexpr uid_t kNobody = 65534;
    // Before setuid(): the user nobody cannot enter this folder if one above is private.
    if (chdir(directory_.path().c_str()) != 0) _exit(3);
    if (geteuid() == 0 && setuid(kNobody) != 0) _exit(2);  // root may read everything
    save("blind/net", 'a');
    _exit(kChildRight);
  });
  EXPECT_EQ(end, kRight);
  EXPECT_EQ(read_file(path("blind/net")), content('a'));
  chmod(path("blind").c_str(), 0777);
}

}  // namespace
}  // namespace adjoint

// Reading a file: exactly its contents. Replacing a file: the order of the system calls, the state after a
// failed call or a killed process, several savers at the same time, and links.

#include "layers/io/file.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/layers/io/replacement.h"
#include "tests/support/child_process.h"
#include "tests/support/files.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::read_file;

TEST(InputFile, GivesTheBytesThatAreThere) {
  const support::TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  support::write_file(path, support::Bytes{'a', 'b', 'c', 'd', 'e'});
  InputFile file(path);
  EXPECT_EQ(file.size(), 5);
  const auto read = [&](std::size_t bytes) {
    std::string text(bytes, '?');
    text.resize(file.read(text));
    return text;
  };
  EXPECT_EQ(read(2), "ab");
  EXPECT_EQ(read(7), "cde");
  EXPECT_EQ(read(7), "");
  file.seek(3);
  EXPECT_EQ(read(1), "d");
}

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
  support::expect_error<FileError>(path().string() + ": cannot be written: No such file or directory",
                                   [&] { file.finish(); });
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
  calls.fail_at = 0;  // no process can tell whether that file is abandoned
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
    const std::string end = in_child([&] {
      calls = {.names = {}, .die_at = moment};
      save(path(), 'b');
      return 1;
    });
    ASSERT_EQ(end, "signal " + std::to_string(SIGKILL)) << moment;
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
  EXPECT_EQ(in_child([&]() -> int {
              save(path(), 'b');
              _exit(kChildRight);
            }),
            kRight);
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
  EXPECT_EQ(in_child([&]() -> int {
              fs::current_path(directory_.path());
              save("net", 'a');
              _exit(kChildRight);
            }),
            kRight);
  EXPECT_EQ(read_file(path()), content('a'));
}

}  // namespace
}  // namespace adjoint

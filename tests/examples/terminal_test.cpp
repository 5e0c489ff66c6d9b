// The progress line on terminals of any width, and on those that cannot erase a line.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "examples/documented_cnn/progress.h"
#include "tests/examples/run_program.h"

namespace {

using namespace adjoint::support;
using documented_cnn::progress_line;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kTraining = "--epochs 3 --limit 64 --threads 1";

/// A progress line as the terminal receives it: from the line's start to the erased rest.
const std::regex kDrawing("\r([^\r\n\033]*)\033\\[K");

/// The progress lines in the output, those that only erase apart.
std::vector<std::string> drawings(const std::string& output) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(output.begin(), output.end(), kDrawing), end; it != end; ++it) {
    if (it->length(1) > 0) found.push_back((*it)[1]);
  }
  return found;
}

TEST(Screen, ShowsWhatATerminalShows) {
  EXPECT_THAT(screen("ab\r\nc", 4), ElementsAre("ab", "c"));
  EXPECT_THAT(screen("abcd\r\nefghi", 4), ElementsAre("abcd", "efgh", "i"));
  EXPECT_THAT(screen("abc\rx", 4), ElementsAre("xbc"));
  EXPECT_THAT(screen("abc\rx\033[K", 4), ElementsAre("x"));
  EXPECT_THAT(screen("abcdef\rx\033[K", 4), ElementsAre("abcd", "x"));
}

TEST(ProgressLine, SaysAsMuchAsThereIsRoomFor) {
  const adjoint::TrainResult so_far = {.loss = 0.5, .seconds = 2, .examples = 100};
  EXPECT_EQ(progress_line(so_far, 400, 80),
            "[######------------------]  25%   loss 0.5000   50 images/s   6 s left");
  EXPECT_EQ(progress_line(so_far, 400, 60), "[######------------------]  25%   loss 0.5000   6 s left");
  EXPECT_EQ(progress_line(so_far, 400, 40), " 25%   loss 0.5000   6 s left");
  EXPECT_EQ(progress_line(so_far, 400, 20), " 25%   loss 0.5000");
  EXPECT_EQ(progress_line(so_far, 400, 10), " 25%");
  EXPECT_EQ(progress_line(so_far, 400, 4), "");
  for (std::size_t width = 1; width < 100; ++width)
    EXPECT_LT(progress_line(so_far, 400, width).size(), width);
}

TEST(ProgressLine, HasNoInfiniteSpeed) {
  const adjoint::TrainResult at_once = {.loss = 0.5, .seconds = 0, .examples = 100};
  EXPECT_EQ(progress_line(at_once, 400, 80), "[######------------------]  25%   loss 0.5000   0 images/s");
}

TEST(Progress, LeavesNothingBehindAtAnyWidth) {
  for (const int columns : {100, 80, 40, 20, 10, 3, 1}) {
    const Outcome outcome = run_on_terminal("mnist_cnn", kTraining, columns, "TERM=xterm");
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_GE(drawings(outcome.out).size(), columns >= 10 ? 3u : 0u) << columns;
    const auto width = static_cast<std::size_t>(columns);
    EXPECT_EQ(screen(outcome.out, width), screen(std::regex_replace(outcome.out, kDrawing, ""), width));
  }
}

TEST(Progress, IsOfTheUsualWidthWhereTheTerminalDoesNotTellItsOwn) {
  const Outcome outcome = run_on_terminal("mnist_cnn", kTraining, 0, "TERM=xterm");
  EXPECT_EQ(outcome.exit_code, 0);
  ASSERT_GE(drawings(outcome.out).size(), 3u);
  EXPECT_THAT(drawings(outcome.out)[0], HasSubstr("images/s"));
}

TEST(Progress, FollowsTheTerminalsWidth) {
  // More output than a terminal takes in unread, so that the program is still at work after the change.
  const Outcome outcome =
      run_on_terminal("mnist_cnn", "--epochs 60 --limit 64 --threads 1", 100, "TERM=xterm", 15);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_GT(drawings(outcome.out).front().size(), 15u);
  EXPECT_LT(drawings(outcome.out).back().size(), 15u);
}

TEST(Progress, MakesRoomForAnError) {
  const Outcome outcome = on_terminal(80, [] {
    setenv("TERM", "xterm", 1);
    try {
      documented_cnn::ProgressBar bar(400);
      bar.show({.loss = 0.5, .seconds = 2, .examples = 100});
      throw std::runtime_error("out of memory");
    } catch (const std::runtime_error& error) {
      std::fputs(error.what(), stderr);
    }
  });
  EXPECT_EQ(drawings(outcome.out).size(), 1u);
  EXPECT_THAT(screen(outcome.out, 80), ElementsAre("out of memory"));
}

/// What the terminal shows, and how the program ends, when the signal comes while the line is drawn.
Outcome interrupted(int signal, void (*before)(int), bool cleared) {
  return on_terminal(80, [&] {
    setenv("TERM", "xterm", 1);
    std::signal(signal, before);
    documented_cnn::ProgressBar bar(400);
    for (int k = 0; k < 2; ++k) bar.show({.loss = 0.5, .seconds = 2.0 + k, .examples = 100});
    if (cleared) bar.clear();
    std::raise(signal);
    std::fputs("alive", stdout);
  });
}

TEST(Progress, IsEndedByCtrlC) {
  for (const int signal : {SIGINT, SIGQUIT}) {
    const Outcome outcome = interrupted(signal, SIG_DFL, false);
    EXPECT_EQ(outcome.exit_code, 128 + signal) << "as shells expect of a program that was interrupted";
    EXPECT_THAT(screen(outcome.out, 80), ElementsAre(HasSubstr("25%"), ""));
  }
}

TEST(Progress, LeavesSignalsAloneThatItNeedNotHandle) {
  for (const int signal : {SIGINT, SIGQUIT}) {
    const Outcome between_epochs = interrupted(signal, SIG_DFL, true);
    EXPECT_EQ(between_epochs.exit_code, 128 + signal);
    EXPECT_THAT(screen(between_epochs.out, 80), ElementsAre(""));
    for (const bool cleared : {false, true}) {
      const Outcome ignored = interrupted(signal, SIG_IGN, cleared);
      EXPECT_EQ(ignored.exit_code, 0);
      EXPECT_THAT(ignored.out, HasSubstr("alive"));
    }
  }
}

TEST(Progress, IsNotDrawnWhereALineCannotBeErased) {
  for (const char* environment : {"TERM=dumb", "TERM=", "env -u TERM"}) {
    const Outcome outcome = run_on_terminal("mnist_cnn", kTraining, 80, environment);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("epoch  3/3: "));
    EXPECT_THAT(outcome.out, Not(HasSubstr("\033"))) << environment;
    EXPECT_THAT(outcome.out, Not(HasSubstr("images/s   "))) << environment;
  }
}

}  // namespace

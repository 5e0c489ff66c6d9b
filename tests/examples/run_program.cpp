#include "tests/examples/run_program.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdexcept>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/files.h"

namespace adjoint::support {
namespace {

constexpr std::string_view kEraseToEnd = "\033[K";

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

winsize with_columns(int columns) {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  return size;
}

}  // namespace

std::string program_path(const std::string& program) {
#ifdef ADJOINT_EMULATOR
  return ADJOINT_EMULATOR " " ADJOINT_EXAMPLES "/" + program;
#else
  return ADJOINT_EXAMPLES "/" + program;
#endif
}

Outcome run_shell(const std::string& command) {
  const TemporaryDirectory directory;
  const std::string err_path = (directory.path() / "err").string();
  FILE* pipe = popen(("exec < /dev/null 2> " + err_path + "; " + command).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  Outcome outcome{};
  std::array<char, 4096> part;
  while (const std::size_t got = fread(part.data(), 1, part.size(), pipe))
    outcome.out.append(part.data(), got);
  outcome.exit_code = exit_code_of(pclose(pipe));
  outcome.err = read_file(err_path);
  return outcome;
}

Outcome run(const std::string& program, const std::string& arguments) {
  return run_shell(program_path(program) + " " + arguments);
}

Outcome on_terminal(int columns, const std::function<void()>& body, int columns_later) {
  const winsize size = with_columns(columns);
  int terminal = -1;
  std::fflush(nullptr);  // or the child would print it again
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) throw std::runtime_error("no terminal");
  if (child == 0) {
    body();
    std::fflush(nullptr);
    _exit(0);
  }
  Outcome outcome{};
  std::array<char, 4096> part;
  for (ssize_t got; (got = read(terminal, part.data(), part.size())) > 0;) {  // fails when the child is gone
    outcome.out.append(part.data(), static_cast<std::size_t>(got));
    if (columns_later == 0 || outcome.out.find(kEraseToEnd) == std::string::npos) continue;
    const winsize later = with_columns(columns_later);
    ioctl(terminal, TIOCSWINSZ, &later);
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(terminal);
  outcome.exit_code = exit_code_of(status);
  return outcome;
}

Outcome run_on_terminal(const std::string& program, const std::string& arguments, int columns,
                        const std::string& environment, int columns_later) {
  const std::string command = environment + " " + program_path(program) + " " + arguments;
  return on_terminal(
      columns, [&] { execl("/bin/sh", "sh", "-c", command.c_str(), nullptr); }, columns_later);
}

Outcome expect_failure(const std::string& program, const std::string& arguments, int exit_code,
                       const std::string& text) {
  const Outcome outcome = run(program, arguments);
  EXPECT_EQ(outcome.exit_code, exit_code) << program << " " << arguments;
  EXPECT_THAT(outcome.err, testing::AllOf(testing::StartsWith(program + ": "), testing::HasSubstr(text)))
      << arguments;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  return outcome;
}

std::vector<std::string> screen(const std::string& output, std::size_t columns) {
  std::vector<std::string> lines(1);
  std::size_t column = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (output[i] == '\r') {
      column = 0;
    } else if (output[i] == '\n') {
      lines.emplace_back();
    } else if (output.compare(i, kEraseToEnd.size(), kEraseToEnd) == 0) {
      lines.back().resize(std::min(lines.back().size(), column));
      i += kEraseToEnd.size() - 1;
    } else {
      if (column == columns) {
        lines.emplace_back();
        column = 0;
      }
      lines.back().resize(std::max(lines.back().size(), column + 1), ' ');
      lines.back()[column++] = output[i];
    }
  }
  return lines;
}

}  // namespace adjoint::support

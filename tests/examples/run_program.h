#pragma once
// Runs the example programs as a person would: from a shell, with pipes, files and terminals.

#include <functional>
#include <string>
#include <vector>

namespace adjoint::support {

struct Outcome {
  int exit_code;  ///< 128 + the signal's number after a signal, as shells have it.
  std::string out, err;
};

/// What a shell runs for this program: its path, behind the emulator when the programs are for another
/// processor.
std::string program_path(const std::string& program);

/// Runs a shell command with nothing on its stdin. Output that it redirects elsewhere is not in the outcome.
Outcome run_shell(const std::string& command);

/// Runs a program; arguments are in the shell's syntax and may redirect streams.
Outcome run(const std::string& program, const std::string& arguments);

/// Runs body in a child process on a terminal with this many columns. Once a line has been erased there, the
/// terminal has columns_later columns, unless that is 0. Outcome::out is all that the terminal received.
Outcome on_terminal(int columns, const std::function<void()>& body, int columns_later = 0);

/// The same with a program. environment: as in front of a shell command, "TERM=xterm".
Outcome run_on_terminal(const std::string& program, const std::string& arguments, int columns,
                        const std::string& environment, int columns_later = 0);

/// Expects the program to end with this exit code and one line on stderr, which begins with the program's
/// name and has text in it. Returns the outcome.
Outcome expect_failure(const std::string& program, const std::string& arguments, int exit_code,
                       const std::string& text);

/// The lines that a terminal with this many columns shows after this output. It knows \r, \n and ESC[K, as a
/// VT100 does.
std::vector<std::string> screen(const std::string& output, std::size_t columns);

}  // namespace adjoint::support

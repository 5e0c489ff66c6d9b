#pragma once
// What every program does alike: exit codes, one line on stderr for what went wrong, and output that is not
// lost unnoticed.

#include <functional>
#include <string_view>

#include "examples/support/flags.h"

namespace examples {

/// Runs body for main and returns main's exit code: 0; 2 after a UsageError; 1 after any other exception and
/// when standard output could not be written. What went wrong is told on stderr in one line, "name: message".
///
/// Closed standard streams are occupied first, so that no file which body opens takes their place.
int run(std::string_view name, const std::function<void()>& body);

/// The same for a program without flags: parses the command line, then calls body unless --help answered.
int run(const Program& program, int argc, const char* const* argv, const std::function<void()>& body);

/// Writes what was printed so far. Throws std::system_error when not all of it could be written.
void flush_output();

}  // namespace examples

#pragma once
// What all programs share: exit codes, one line on stderr for an error, and a check that all output was
// written.

#include <functional>
#include <string_view>

#include "examples/support/flags.h"

namespace examples {

/// Runs body for main and returns main's exit code: 0; 2 after a UsageError; 1 after any other exception and
/// when standard output could not be written. The error is one line on stderr,
/// "name: message".
///
/// Closed standard streams are occupied first, so that no file that body opens takes their place.
int run(std::string_view name, const std::function<void()>& body);

/// The same for a program without flags: parses the command line, and calls body unless --help was given.
int run(const Program& program, int argc, const char* const* argv, const std::function<void()>& body);

/// Writes all output so far. Throws std::system_error when it could not all be written.
void flush_output();

}  // namespace examples

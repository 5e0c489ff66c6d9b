#pragma once
// Checks of the exception that a call throws.

#include <exception>
#include <gtest/gtest.h>
#include <string>

namespace adjoint::support {

/// The message of the E that call() throws; "no error" if it throws nothing. Other exceptions pass through.
template <class E, class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

/// call() throws E, and nothing more general, with exactly this text. A failure names the caller's line.
template <class E, class Call>
void expect_error(const std::string& text, const Call& call, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  std::string found;
  try {
    found = error_of<E>(call);
  } catch (const std::exception& error) {
    found = std::string("an error of another type: ") + error.what();
  }
  if (found != text) ADD_FAILURE_AT(file, line) << "found:    " << found << "\nexpected: " << text;
}

}  // namespace adjoint::support

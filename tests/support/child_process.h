#pragma once
// Tests that need a process of their own: one that ends in a certain way, or under limits. POSIX only.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace adjoint {

inline constexpr int kChildRight = 42;  // An exit code that does not occur by accident.
inline const std::string kRight = "exit code " + std::to_string(kChildRight);

/// Runs body in a forked child, which exits with the code that body returns. The result is "exit code N" or
/// "signal N"; a child that hangs is ended by a signal.
template <class Body>
std::string in_child(const Body& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(120);
    int code = 1;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    std::exit(code);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "no child";
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace adjoint

#include "examples/support/program.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/core.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace examples {
namespace {

/// A file opened while a standard stream is closed would get the stream's number, and then its output. So
/// closed streams are opened for the wrong direction: reading and writing still fail.
void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) == -1)
      (void)open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // gets the lowest free number
  }
}

/// The text without control characters such as line breaks, and without the middle if it is very long:
/// messages may quote users and files.
std::string one_line(const std::string& text) {
  constexpr std::size_t kLongest = 1000, kKeep = 400;
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  if (line.size() <= kLongest) return line;
  const auto is_inside_character = [&](std::size_t i) { return (line[i] & 0xc0) == 0x80; };  // UTF-8
  std::size_t head = kKeep, tail = line.size() - kKeep;
  while (head > 0 && is_inside_character(head)) --head;
  while (tail < line.size() && is_inside_character(tail)) ++tail;
  return line.substr(0, head) + " ... " + line.substr(tail);
}

int fail(std::string_view name, int exit_code, const std::string& message) {
  const std::string line = fmt::format("{}: {}\n", name, one_line(message));
  std::fwrite(line.data(), 1, line.size(), stderr);  // if stderr is closed, only the exit code is left
  return exit_code;
}

}  // namespace

void flush_output() {
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
}

int run(std::string_view name, const std::function<void()>& body) {
  occupy_closed_streams();
  try {
    body();
    flush_output();
    return 0;
  } catch (const UsageError& error) {
    return fail(name, 2, fmt::format("{} (see --help)", error.what()));
  } catch (const std::bad_alloc&) {
    return fail(name, 1, "out of memory");
  } catch (const std::system_error& error) {  // also what fmt::print throws
    if (std::ferror(stdout) == 0) return fail(name, 1, error.what());
    return fail(name, 1, "cannot write to standard output: " + error.code().message());
  } catch (const std::exception& error) {
    return fail(name, 1, error.what());
  }
}

int run(const Program& program, int argc, const char* const* argv, const std::function<void()>& body) {
  return run(program.name, [&] {
    if (parse(program, argc, argv)) body();
  });
}

}  // namespace examples

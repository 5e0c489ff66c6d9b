#include "examples/documented_cnn/progress.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fmt/core.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

#include "examples/documented_cnn/metrics.h"
#include "examples/support/program.h"

namespace documented_cnn {
namespace {

constexpr std::int64_t kBarWidth = 24;
constexpr double kSecondsBetween = 0.1;

/// Whether stdout is a terminal that knows \r and ESC[K, as all terminal types except "dumb" do.
bool is_terminal_with_escapes() {
  const char* type = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && type != nullptr && *type != '\0' && std::string_view(type) != "dumb";
}

/// The terminal's current number of columns; 80 if it does not know.
std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Ends the progress line, so that the shell's prompt gets its own line, and ends the program as the signal
/// would.
extern "C" void end_line_and_die(int signal) {
  (void)!write(STDOUT_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Changes the handlers of the keyboard's signals from one to the other; ignored signals stay ignored.
void change_handler(void (*from)(int), void (*to)(int)) {
  for (const int signal : {SIGINT, SIGQUIT}) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler == from) std::signal(signal, to);
  }
}

}  // namespace

std::string progress_line(const adjoint::TrainResult& so_far, std::int64_t examples, std::size_t width) {
  const std::string filled(static_cast<std::size_t>(so_far.examples * kBarWidth / examples), '#');
  const double rate = so_far.examples_per_second();
  const std::string bar = fmt::format("[{:-<{}}] ", filled, kBarWidth);
  const std::string share = fmt::format("{:3}%", so_far.examples * 100 / examples);
  const std::string loss = "   loss " + loss_text(so_far.loss);
  const std::string speed = fmt::format("   {:.0f} images/s", rate);
  const std::string left =
      rate > 0 ? fmt::format("   {:.0f} s left", static_cast<double>(examples - so_far.examples) / rate) : "";
  // A full last column would move the cursor to the next line.
  for (const std::string& line : {fmt::format("{}{}{}{}{}", bar, share, loss, speed, left),
                                  fmt::format("{}{}{}{}", bar, share, loss, left),
                                  fmt::format("{}{}{}", share, loss, left), share + loss, share}) {
    if (line.size() < width) return line;
  }
  return "";
}

ProgressBar::ProgressBar(std::int64_t examples)
    : examples_(examples), can_draw_(is_terminal_with_escapes()) {}

void ProgressBar::show(const adjoint::TrainResult& so_far) {
  if (!can_draw_ || so_far.seconds < next_seconds_) return;
  next_seconds_ = so_far.seconds + kSecondsBetween;
  change_handler(SIG_DFL, end_line_and_die);
  fmt::print("\r{}\033[K", progress_line(so_far, examples_, terminal_width()));
  examples::flush_output();
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\033[K", stdout);
  std::fflush(stdout);  // before anything on stderr; if this fails, the next output reports it
  change_handler(end_line_and_die, SIG_DFL);
}

}  // namespace documented_cnn

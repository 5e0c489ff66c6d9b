// Any words, one a line, as mnist_cnn's command line: refused with a line of text, or settings that make
// sense.

#include "examples/documented_cnn/settings.h"

#include <cmath>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "tests/fuzz/require.h"

using adjoint::fuzz::require;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // --help answers on standard output; the fuzzer itself reports on standard error.
  return std::freopen("/dev/null", "w", stdout) == nullptr ? 1 : 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words = {"mnist_cnn"};
  if (size > 0) words.emplace_back();
  for (std::size_t k = 0; k < size; ++k) {
    if (data[k] == '\n')
      words.emplace_back();
    else
      words.back() += static_cast<char>(data[k]);
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  try {
    const auto settings =
        documented_cnn::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    if (!settings) return 0;  // --help or --version
    require(settings->epochs >= 0 && settings->batch_size >= 1 && settings->test_batch_size >= 1,
            "counts are counts");
    require(std::isfinite(settings->learning_rate) && settings->learning_rate >= 0,
            "the learning rate is a number");
    require(settings->momentum >= 0 && settings->momentum < 1, "the momentum is below 1");
    require(!settings->threads || *settings->threads >= 1, "there is a thread");
    require(!settings->limit || *settings->limit >= 1, "the limit leaves an image");
  } catch (const documented_cnn::UsageError& error) {
    require(std::string_view(error.what()).find('\n') == std::string_view::npos, "an error is one line");
  }
  return 0;
}

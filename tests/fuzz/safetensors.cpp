// Any bytes as a safetensors file: refused with a FileError, or loaded as tensors that are saved and loaded
// again with the same bytes.

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "adjoint/io/checkpoint.h"
#include "tests/fuzz/require.h"
#include "tests/support/files.h"

using namespace adjoint;
using fuzz::require;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool are_equal(const StateDict& a, const StateDict& b) {
  return std::ranges::equal(a, b, [](const NamedTensor& x, const NamedTensor& y) {
    if (x.name != y.name || x.tensor.dtype() != y.tensor.dtype() || x.tensor.shape() != y.tensor.shape())
      return false;
    return visit(x.tensor.dtype(), [&]<class T>() {
      const auto left = x.tensor.data<T>(), right = y.tensor.data<T>();
      return left.empty() || std::memcmp(left.data(), right.data(), left.size_bytes()) == 0;
    });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const support::TemporaryDirectory place;
  const std::string path = place.path() / "input", copy = place.path() / "copy";
  support::write_file(path, {data, size});
  try {
    const StateDict state = load_checkpoint(path);
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, data, sizeof header_bytes);
    const auto* header = data + sizeof header_bytes;
    require(nlohmann::json::accept(header, header + header_bytes), "a header that is taken is JSON");

    save_checkpoint(copy, state);
    require(are_equal(load_checkpoint(copy), state), "what was saved is loaded");
    const std::string saved = read_file(copy);
    save_checkpoint(copy, load_checkpoint(copy));
    require(read_file(copy) == saved, "what was loaded is saved with the same bytes");
  } catch (const FileError& error) {
    fuzz::require_good(error, path + ": ");
  }
  return 0;
}

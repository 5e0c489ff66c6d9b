#include "adjoint/io/checkpoint.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "adjoint/tensor/check.h"
#include "layers/io/file.h"
#include "layers/io/safetensors_header.h"

namespace adjoint {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are copied to and from the file as they are");

std::span<char> bytes_of(Values& values, std::int64_t count) {
  return visit(values.dtype(), [&]<class T>() {
    return std::span(reinterpret_cast<char*>(values.writable<T>()), static_cast<std::size_t>(count));
  });
}
std::span<const char> bytes_of(const Tensor& tensor) {
  return visit(tensor.dtype(), [&]<class T>() {
    const std::span<const T> data = tensor.data<T>();
    return std::span(reinterpret_cast<const char*>(data.data()), data.size_bytes());
  });
}

}  // namespace

void save_checkpoint(const std::string& path, const StateDict& state) {
  const std::string header = format_safetensors_header(state);
  const std::uint64_t header_bytes = header.size();
  FileReplacement file(path);
  file.write({reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes});
  file.write(header);
  for (const NamedTensor& named : state) file.write(bytes_of(named.tensor));
  file.finish();
}

void check_can_save(const std::string& path) { FileReplacement{path}; }

StateDict load_checkpoint(const std::string& path) {
  InputFile file(path);
  const auto read = [&](std::span<char> bytes) {
    const std::size_t got = file.read(bytes);
    check<FileError>(got == bytes.size(),
                     "{}: became shorter while it was read: {} bytes were wanted, {} are left", path,
                     bytes.size(), got);
  };

  std::uint64_t announced = 0;
  constexpr std::int64_t kStart = sizeof announced;
  check<FileError>(file.size() >= kStart, "{}: must be a safetensors file, but is only {} bytes long", path,
                   file.size());
  read({reinterpret_cast<char*>(&announced), sizeof announced});
  const std::int64_t rest = file.size() - kStart;
  check<FileError>(std::cmp_less_equal(announced, std::min(rest, kMostHeaderBytes)),
                   "{}: must be a safetensors file, but its first 8 bytes announce a header of {} bytes, {} "
                   "follow, and a header has at most {}",
                   path, announced, rest, kMostHeaderBytes);
  const auto header_bytes = static_cast<std::int64_t>(announced);
  std::string header(announced, '\0');
  read(header);

  StateDict state;
  for (TensorEntry& entry : parse_safetensors_header(std::move(header), rest - header_bytes, path)) {
    Values values(entry.dtype, entry.shape);
    file.seek(kStart + header_bytes + entry.begin);
    const std::span<char> bytes = bytes_of(values, entry.end - entry.begin);
    read(bytes);
    if (entry.dtype == DType::boolean) {  // A bool holds nothing but 0 and 1.
      std::ranges::transform(bytes, bytes.begin(), [](char byte) { return byte != 0; });
    }
    state.push_back({std::move(entry.name), Tensor(std::move(values))});
  }
  return state;
}

}  // namespace adjoint

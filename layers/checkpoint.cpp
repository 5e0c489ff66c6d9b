#include "layers/checkpoint.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "layers/file.h"

namespace adjoint {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little,
              "values are copied to and from the file as they are");

constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // what the format's own readers accept
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::array kDTypes = {DType::float32, DType::float64, DType::int64};

/// The format's name of an element type.
const char* code_of(DType dtype) {
  return dtype == DType::float32 ? "F32" : dtype == DType::float64 ? "F64" : "I64";
}

std::uint64_t bytes_of(const Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
}

char* bytes_at(Values& values) {
  return visit(values.dtype(), [&]<class T>() { return reinterpret_cast<char*>(values.writable<T>()); });
}
const char* bytes_at(const Tensor& tensor) {
  return visit(tensor.dtype(),
               [&]<class T>() { return reinterpret_cast<const char*>(tensor.data<T>().data()); });
}

// ---- Writing ----

/// {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]}, ...}, ended by spaces so that the
/// values start at a multiple of 8 bytes.
std::string header_of(const StateDict& state) {
  Json header = Json::object();
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : state) {
    check(tensor.defined(), "save_checkpoint: {} is undefined", name);
    check(name != kMetadata, "save_checkpoint: the name {} is reserved", name);
    check(!header.contains(name), "save_checkpoint: {} comes twice", name);
    const std::uint64_t end = offset + bytes_of(tensor);
    header[name]["dtype"] = code_of(tensor.dtype());
    header[name]["shape"] = tensor.shape().sizes();
    header[name]["data_offsets"] = {offset, end};
    offset = end;
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const Json::exception&) {
    throw Error("save_checkpoint: a name is not UTF-8");
  }
}

// ---- Reading ----

/// A tensor as the header describes it.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::int64_t begin, end;  ///< Bytes of the values.
};

/// Reads the header's JSON; what is wrong in it is told in the file's name.
class HeaderParser {
 public:
  HeaderParser(const std::string& file, std::int64_t data_bytes) : file_(file), data_bytes_(data_bytes) {}

  std::vector<Entry> parse(const std::string& text) const {
    const Json header = parse_json(text);
    require(header.is_object(), "the header must be a JSON object");
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name != kMetadata) entries.push_back(parse_entry(name, value));
    }
    check_tiling(entries);
    return entries;
  }

 private:
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> rule, Args&&... args) const {
    if (!condition)
      throw FileError(fmt::format("{}: {}", file_, fmt::vformat(rule, fmt::make_format_args(args...))));
  }

  /// Neither keys that come twice nor nesting deeper than the format's reach the result.
  Json parse_json(const std::string& text) const {
    using Event = Json::parse_event_t;
    constexpr std::size_t kDeepest = 3;  // the numbers of a shape, in a tensor, in the header
    std::array<std::set<std::string>, kDeepest + 1> keys;
    const auto look = [&](int depth, Event event, const Json& value) {
      const auto level = static_cast<std::size_t>(depth);
      if (event == Event::object_start || event == Event::array_start) {
        require(level < kDeepest, "the header is nested too deeply");
        keys[level + 1].clear();
      } else if (event == Event::key) {
        require(keys[level].insert(value.get<std::string>()).second, "the header has the key {} twice",
                value.dump());
      }
      return true;
    };
    try {
      return Json::parse(text, look);
    } catch (const Json::exception& error) {
      throw FileError(fmt::format("{}: the header must be JSON: {}", file_, error.what()));
    }
  }

  Entry parse_entry(const std::string& name, const Json& value) const {
    const std::string label = Json(name).dump();
    require(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
                value.contains("data_offsets"),
            "tensor {} must have dtype, shape and data_offsets", label);
    const Json& code = value["dtype"];
    const auto dtype =
        std::ranges::find_if(kDTypes, [&](DType candidate) { return code == code_of(candidate); });
    require(dtype != kDTypes.end(), "tensor {} must be F32, F64 or I64, it is {}", label, code.dump());

    const std::vector<std::int64_t> offsets = parse_numbers(label, "data_offsets", value);
    require(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_bytes_,
            "tensor {} must lie within the {} bytes of values, its data_offsets are {}", label, data_bytes_,
            value["data_offsets"].dump());
    Entry entry{name, *dtype, parse_shape(label, value), offsets[0], offsets[1]};
    const std::int64_t bytes = entry.end - entry.begin;
    const auto size = static_cast<std::int64_t>(size_of(entry.dtype));
    require(bytes % size == 0 && bytes / size == entry.shape.numel(),
            "tensor {} of shape {} does not fill its {} bytes", label, entry.shape, bytes);
    return entry;
  }

  std::vector<std::int64_t> parse_numbers(const std::string& label, const char* key,
                                          const Json& value) const {
    const auto fits = [](const Json& number) {
      return number.is_number_unsigned() && std::in_range<std::int64_t>(number.get<std::uint64_t>());
    };
    require(value[key].is_array() && std::ranges::all_of(value[key], fits),
            "tensor {}: {} must be natural numbers below 2^63", label, key);
    return value[key].get<std::vector<std::int64_t>>();
  }

  Shape parse_shape(const std::string& label, const Json& value) const {
    const std::vector<std::int64_t> sizes = parse_numbers(label, "shape", value);
    try {
      return Shape(std::span(sizes));
    } catch (const ShapeError& error) {
      throw FileError(fmt::format("{}: tensor {}: {}", file_, label, error.what()));
    }
  }

  /// The tensors fill the values' bytes without holes and without overlaps.
  void check_tiling(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> sorted;
    sorted.reserve(entries.size());
    for (const Entry& entry : entries) sorted.push_back(&entry);
    std::ranges::sort(sorted, {}, [](const Entry* entry) { return std::pair(entry->begin, entry->end); });
    std::int64_t position = 0;
    for (const Entry* entry : sorted) {
      require(entry->begin == position, "tensor {} must start at byte {} of the values, it starts at {}",
              Json(entry->name).dump(), position, entry->begin);
      position = entry->end;
    }
    require(position == data_bytes_, "the tensors take {} bytes, the file holds {}", position, data_bytes_);
  }

  const std::string& file_;
  const std::int64_t data_bytes_;
};

}  // namespace

void save_checkpoint(const std::string& path, const StateDict& state) {
  const std::string header = header_of(state);
  const std::uint64_t header_bytes = header.size();
  FileReplacement file(path);
  file.write(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  file.write(header.data(), header.size());
  for (const NamedTensor& named : state) file.write(bytes_at(named.tensor), bytes_of(named.tensor));
  file.finish();
}

void check_can_save(const std::string& path) { FileReplacement{path}; }

StateDict load_checkpoint(const std::string& name) {
  InputFile file = open_file(name);
  const std::int64_t file_bytes = file.bytes;
  const auto read = [&](char* bytes, std::int64_t count) {
    file.stream.read(bytes, count);
    check<FileError>(file.stream.good(), "{}: cannot be read to its end", name);
  };

  std::uint64_t announced = 0;
  constexpr std::int64_t kStart = sizeof announced;
  check<FileError>(file_bytes >= kStart, "{}: must be a safetensors file, but is only {} bytes long", name,
                   file_bytes);
  read(reinterpret_cast<char*>(&announced), kStart);
  const std::int64_t rest = file_bytes - kStart;
  check<FileError>(announced <= kMostHeaderBytes && std::cmp_less_equal(announced, rest),
                   "{}: must be a safetensors file, but its first 8 bytes announce a header of {} bytes and "
                   "{} follow",
                   name, announced, rest);
  const auto header_bytes = static_cast<std::int64_t>(announced);
  std::string header(announced, '\0');
  read(header.data(), header_bytes);

  StateDict state;
  for (const Entry& entry : HeaderParser(name, rest - header_bytes).parse(header)) {
    Values values(entry.dtype, entry.shape);
    file.stream.seekg(kStart + header_bytes + entry.begin);
    read(bytes_at(values), entry.end - entry.begin);
    state.push_back({entry.name, Tensor(std::move(values))});
  }
  return state;
}

}  // namespace adjoint

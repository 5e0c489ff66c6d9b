#include "layers/safetensors_header.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "autograd/check.h"
#include "layers/file_error.h"
#include "layers/json_reader.h"
#include "layers/quote.h"

namespace adjoint {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::array kDTypes = {DType::float32, DType::float64, DType::int64};

/// The format's name of an element type.
const char* code_of(DType dtype) {
  return dtype == DType::float32 ? "F32" : dtype == DType::float64 ? "F64" : "I64";
}

/// text, which must be UTF-8, as JSON.
std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      json += c;
  }
  return json + '"';
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

class HeaderParser {
 public:
  HeaderParser(std::istream& in, std::int64_t header_bytes, std::int64_t data_bytes, const std::string& file)
      : file_(file), data_bytes_(data_bytes), json_(in, header_bytes, file, "the header") {}

  std::deque<TensorEntry> parse() {
    std::deque<TensorEntry> entries;
    bool has_metadata = false;
    json_.object([&](std::string name) {
      if (name != kMetadata) {
        entries.push_back(parse_entry(std::move(name)));
      } else {
        require(!std::exchange(has_metadata, true), "the header has the key {} twice", Quoted(kMetadata));
        parse_metadata();
      }
    });
    json_.end();
    check_names(entries);
    check_tiling(entries);
    return entries;
  }

 private:
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> rule, Args&&... args) const {
    if (!condition)
      throw FileError(fmt::format("{}: {}", file_, fmt::vformat(rule, fmt::make_format_args(args...))));
  }

  void parse_metadata() {
    std::deque<std::string> keys;
    json_.object([&](std::string key) {
      keys.push_back(std::move(key));
      json_.string();
    });
    std::ranges::sort(keys);
    const auto twice = std::ranges::adjacent_find(keys);
    require(twice == keys.end(), "the metadata have the key {} twice",
            Quoted(twice == keys.end() ? "" : *twice));
  }

  TensorEntry parse_entry(std::string name) {
    std::optional<DType> dtype;
    std::optional<Shape> shape;
    std::optional<std::pair<std::int64_t, std::int64_t>> bytes;
    json_.object([&](const std::string& key) {
      const bool known = key == "dtype" || key == "shape" || key == "data_offsets";
      require(known, "tensor {} must have dtype, shape and data_offsets, it has {}", Quoted(name),
              Quoted(key));
      const bool twice = key == "dtype"   ? dtype.has_value()
                         : key == "shape" ? shape.has_value()
                                          : bytes.has_value();
      require(!twice, "tensor {} has the key {} twice", Quoted(name), Quoted(key));
      if (key == "dtype") dtype = parse_dtype(name);
      if (key == "shape") shape = parse_shape(name);
      if (key == "data_offsets") bytes = parse_offsets(name);
    });
    require(dtype && shape && bytes, "tensor {} must have dtype, shape and data_offsets, it lacks {}",
            Quoted(name),
            !dtype   ? "dtype"
            : !shape ? "shape"
                     : "data_offsets");
    const std::int64_t held = bytes->second - bytes->first;
    const auto size = static_cast<std::int64_t>(size_of(*dtype));
    require(held % size == 0 && held / size == shape->numel(),
            "tensor {} of shape {} does not fill its {} bytes", Quoted(name), *shape, held);
    return {std::move(name), *dtype, *shape, bytes->first, bytes->second};
  }

  DType parse_dtype(const std::string& name) {
    const std::string code = json_.string();
    const auto dtype =
        std::ranges::find_if(kDTypes, [&](DType candidate) { return code == code_of(candidate); });
    require(dtype != kDTypes.end(), "tensor {} must be F32, F64 or I64, it is {}", Quoted(name),
            Quoted(code));
    return *dtype;
  }

  Shape parse_shape(const std::string& name) {
    std::vector<std::int64_t> sizes;
    json_.array([&] {
      require(sizes.size() < Shape::kMaxRank, "tensor {}: at most {} axes are supported, its shape has more",
              Quoted(name), Shape::kMaxRank);
      sizes.push_back(json_.natural());
    });
    try {
      return Shape(std::span(sizes));
    } catch (const ShapeError& error) {
      throw FileError(fmt::format("{}: tensor {}: {}", file_, Quoted(name), error.what()));
    }
  }

  std::pair<std::int64_t, std::int64_t> parse_offsets(const std::string& name) {
    std::vector<std::int64_t> offsets;
    json_.array([&] {
      offsets.push_back(json_.natural());
      require(offsets.size() <= 2, "tensor {} must have two data_offsets, it has more", Quoted(name));
    });
    require(offsets.size() == 2, "tensor {} must have two data_offsets, they are {}", Quoted(name),
            QuotedSizes(offsets));
    require(offsets[0] <= offsets[1] && offsets[1] <= data_bytes_,
            "tensor {} must lie within the {} bytes of values, its data_offsets are {}", Quoted(name),
            data_bytes_, QuotedSizes(offsets));
    return {offsets[0], offsets[1]};
  }

  static std::vector<const TensorEntry*> pointers_to(const std::deque<TensorEntry>& entries) {
    std::vector<const TensorEntry*> pointers;
    pointers.reserve(entries.size());
    for (const TensorEntry& entry : entries) pointers.push_back(&entry);
    return pointers;
  }

  void check_names(const std::deque<TensorEntry>& entries) const {
    auto sorted = pointers_to(entries);
    const auto name_of = [](const TensorEntry* entry) -> const std::string& { return entry->name; };
    std::ranges::sort(sorted, {}, name_of);
    const auto twice = std::ranges::adjacent_find(sorted, {}, name_of);
    require(twice == sorted.end(), "the header has the key {} twice",
            Quoted(twice == sorted.end() ? "" : (*twice)->name));
  }

  /// The tensors fill the values' bytes without gaps and without overlaps.
  void check_tiling(const std::deque<TensorEntry>& entries) const {
    auto sorted = pointers_to(entries);
    std::ranges::sort(sorted, {},
                      [](const TensorEntry* entry) { return std::pair(entry->begin, entry->end); });
    std::int64_t position = 0;
    for (const TensorEntry* entry : sorted) {
      require(entry->begin == position, "tensor {} must start at byte {} of the values, it starts at {}",
              Quoted(entry->name), position, entry->begin);
      position = entry->end;
    }
    require(position == data_bytes_, "the tensors take {} bytes, the file holds {}", position, data_bytes_);
  }

  const std::string& file_;
  const std::int64_t data_bytes_;
  JsonReader json_;
};

}  // namespace

std::string format_safetensors_header(const StateDict& state) {
  std::string header = "{";
  std::unordered_set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : state) {
    check(tensor.defined(), "save_checkpoint: {} is undefined", Quoted(name));
    check(name != kMetadata, "save_checkpoint: the name {} is reserved", Quoted(name));
    check(is_utf8(name), "save_checkpoint: names must be UTF-8, but one is {}", Quoted(name));
    check(names.insert(name).second, "save_checkpoint: {} comes twice", Quoted(name));
    const std::uint64_t end = offset + static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    header +=
        fmt::format(R"({}{}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", names.size() > 1 ? "," : "",
                    json_string(name), code_of(tensor.dtype()), tensor.shape(), offset, end);
    offset = end;
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');  // the values start at a multiple of 8 bytes
  check(std::cmp_less_equal(header.size(), kMostHeaderBytes),
        "save_checkpoint: names and shapes must fit into a header of {} bytes, they take {}",
        kMostHeaderBytes, header.size());
  return header;
}

std::deque<TensorEntry> parse_safetensors_header(std::istream& in, std::int64_t header_bytes,
                                                 std::int64_t data_bytes, const std::string& file) {
  return HeaderParser(in, header_bytes, data_bytes, file).parse();
}

}  // namespace adjoint

#include "layers/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "adjoint/io/file_error.h"
#include "adjoint/tensor/check.h"
#include "layers/io/quote.h"

namespace adjoint {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::array kDTypes = {DType::float32, DType::float64, DType::int64, DType::boolean};

/// The format's name of an element type.
const char* code_of(DType dtype) {
  constexpr const char* kCodes[] = {"F32", "F64", "I64", "BOOL"};
  return kCodes[static_cast<std::size_t>(dtype)];
}

/// name as JSON.
std::string json_string(const std::string& name) {
  try {
    return nlohmann::json(name).dump();
  } catch (const nlohmann::json::type_error&) {
    throw Error(fmt::format("save_checkpoint: names must be UTF-8, but one is {}", Quoted(name)));
  }
}

/// Replaces line breaks and tabs by spaces, except for the first one in each run of white space. An error
/// message of nlohmann_json contains all white space before the error, and writes a line break or tab as
/// eight letters. A long run would cost many times its size. The first one stays: it is not allowed in a
/// string, and the parser must still refuse it there.
void thin_line_breaks(std::string& header) {
  bool follows = false;
  for (char& c : header) {
    const bool breaks = c == '\n' || c == '\r' || c == '\t';
    if (breaks && follows) c = ' ';
    follows = breaks || (follows && c == ' ');
  }
}

/// Builds the tensors while nlohmann_json reads the text, and throws at the first thing that does not fit. So
/// a file takes memory of at most a few times its header, whatever the header claims.
class HeaderParser final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderParser(std::string_view header, std::int64_t data_bytes, const std::string& file)
      : header_(header), data_bytes_(data_bytes), file_(file) {}

  std::deque<TensorEntry> parse() {
    // The library would skip a byte order mark, and take a zero byte for the end.
    if (header_.starts_with("\xef\xbb\xbf")) refuse_byte(0);
    if (const std::size_t zero = header_.find('\0'); zero != header_.npos) refuse_byte(zero);
    nlohmann::json::sax_parse(header_.begin(), header_.end(), this);
    check_names();
    check_tiling();
    return std::move(entries_);
  }

  bool null() override { refuse("null"); }
  bool boolean(bool value) override { refuse(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override { refuse(value == 0 ? "-0" : fmt::format("{}", value)); }
  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::numbers || !std::in_range<std::int64_t>(value)) refuse(fmt::format("{}", value));
    require(numbers_.size() < Shape::kMaxRank || key_ != "shape",
            "tensor {}: at most {} axes are supported, its shape has more", Quoted(name_), Shape::kMaxRank);
    require(numbers_.size() < 2 || key_ != "data_offsets",
            "tensor {} must have two data_offsets, it has more", Quoted(name_));
    numbers_.push_back(static_cast<std::int64_t>(value));
    return true;
  }
  bool number_float(double, const std::string& text) override {
    refuse(fmt::format("the number {}", Quoted(text)));
  }
  bool binary(nlohmann::json::binary_t&) override { refuse("binary"); }  // not in JSON text

  bool string(std::string& text) override {
    if (place_ == Place::tensor && key_ == "dtype")
      set_dtype(text);
    else if (place_ != Place::metadata)
      refuse(fmt::format("{}", Quoted(text)));
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::outside)
      place_ = Place::header;
    else if (place_ == Place::header)
      place_ = name_ == kMetadata ? Place::metadata : Place::tensor;
    else
      refuse("an object");
    return true;
  }

  bool key(std::string& text) override {
    if (place_ == Place::header) {
      name_ = std::move(text);
      require(name_ != kMetadata || !std::exchange(has_metadata_, true), "the header has the key {} twice",
              Quoted(kMetadata));
    } else if (place_ == Place::metadata) {
      metadata_keys_.push_back(std::move(text));
    } else {
      key_ = std::move(text);
      check_key();
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::metadata) check_metadata();
    if (place_ == Place::tensor) add_tensor();
    place_ = place_ == Place::header ? Place::outside : Place::header;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || key_ == "dtype") refuse("an array");
    place_ = Place::numbers;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    if (key_ == "shape")
      set_shape();
    else
      set_offsets();
    return true;
  }

  bool parse_error(std::size_t bytes_read, const std::string& token,
                   const nlohmann::json::exception& error) override {
    // The message of error may be as long as the file.
    if (dynamic_cast<const nlohmann::json::out_of_range*>(&error) != nullptr) return number_float(0, token);
    refuse_byte(bytes_read - 1);
  }

 private:
  /// What the parser is in; numbers are a tensor's shape or data_offsets.
  enum class Place { outside, header, metadata, tensor, numbers };

  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> rule, Args&&... args) const {
    if (!condition)
      throw FileError(fmt::format("{}: {}", file_, fmt::vformat(rule, fmt::make_format_args(args...))));
  }

  /// The header is not JSON, as this byte shows.
  [[noreturn]] void refuse_byte(std::size_t byte) const {
    if (byte >= header_.size())
      throw FileError(
          fmt::format("{}: the header must be JSON, but ends too early, at byte {}", file_, byte));
    constexpr std::size_t kShown = 30;
    const std::size_t start = byte < kShown ? 0 : byte + 1 - kShown;
    throw FileError(fmt::format("{}: the header must be JSON, but byte {} is wrong; the text up to it is {}",
                                file_, byte, Quoted(header_.substr(start, byte + 1 - start))));
  }

  /// The header is JSON, but has a value of the wrong kind here.
  [[noreturn]] void refuse(std::string_view found) const {
    throw FileError(fmt::format("{}: {}, but is {}", file_, rule(), found));
  }

  /// What a value must be at this place.
  std::string rule() const {
    const Quoted name(name_), key(place_ == Place::metadata ? metadata_keys_.back() : key_);
    switch (place_) {
      case Place::outside:
        return "the header must be an object";
      case Place::header:
        return fmt::format("{} {} must be an object", name_ == kMetadata ? "the value of" : "tensor", name);
      case Place::metadata:
        return fmt::format("the metadata's {} must be a string", key);
      case Place::tensor:
        return fmt::format("tensor {}: {} must be {}", name, key,
                           key_ == "dtype" ? "a string" : "an array of numbers");
      case Place::numbers:
        return fmt::format("tensor {}: each number of {} must be whole and from 0 to 2^63 - 1", name, key);
    }
    return {};
  }

  void check_key() const {
    const bool known = key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
    require(known, "tensor {} must have dtype, shape and data_offsets, it has {}", Quoted(name_),
            Quoted(key_));
    const bool twice = key_ == "dtype"   ? dtype_.has_value()
                       : key_ == "shape" ? shape_.has_value()
                                         : offsets_.has_value();
    require(!twice, "tensor {} has the key {} twice", Quoted(name_), Quoted(key_));
  }

  void check_metadata() {
    std::ranges::sort(metadata_keys_);
    const auto twice = std::ranges::adjacent_find(metadata_keys_);
    require(twice == metadata_keys_.end(), "the metadata have the key {} twice",
            Quoted(twice == metadata_keys_.end() ? "" : *twice));
  }

  void set_dtype(std::string_view code) {
    const auto dtype = std::ranges::find(kDTypes, code, code_of);
    require(dtype != kDTypes.end(), "tensor {} must be F32, F64, I64 or BOOL, it is {}", Quoted(name_),
            Quoted(code));
    dtype_ = *dtype;
  }

  void set_shape() {
    try {
      shape_ = Shape(std::span(numbers_));
    } catch (const ShapeError& error) {
      throw FileError(fmt::format("{}: tensor {}: {}", file_, Quoted(name_), error.what()));
    }
  }

  void set_offsets() {
    require(numbers_.size() == 2, "tensor {} must have two data_offsets, they are {}", Quoted(name_),
            QuotedSizes(numbers_));
    require(numbers_[0] <= numbers_[1] && numbers_[1] <= data_bytes_,
            "tensor {} must lie within the {} bytes of values, its data_offsets are {}", Quoted(name_),
            data_bytes_, QuotedSizes(numbers_));
    offsets_ = std::pair(numbers_[0], numbers_[1]);
  }

  void add_tensor() {
    require(dtype_ && shape_ && offsets_, "tensor {} must have dtype, shape and data_offsets, it lacks {}",
            Quoted(name_),
            !dtype_   ? "dtype"
            : !shape_ ? "shape"
                      : "data_offsets");
    const auto [begin, end] = *offsets_;
    const auto size = static_cast<std::int64_t>(size_of(*dtype_));
    require((end - begin) % size == 0 && (end - begin) / size == shape_->numel(),
            "tensor {} of shape {} does not fill its {} bytes", Quoted(name_), *shape_, end - begin);
    entries_.push_back({std::move(name_), *dtype_, *shape_, begin, end});
    dtype_.reset();
    shape_.reset();
    offsets_.reset();
  }

  std::vector<const TensorEntry*> pointers_to_entries() const {
    std::vector<const TensorEntry*> pointers;
    pointers.reserve(entries_.size());
    for (const TensorEntry& entry : entries_) pointers.push_back(&entry);
    return pointers;
  }

  void check_names() const {
    auto sorted = pointers_to_entries();
    const auto name_of = [](const TensorEntry* entry) -> const std::string& { return entry->name; };
    std::ranges::sort(sorted, {}, name_of);
    const auto twice = std::ranges::adjacent_find(sorted, {}, name_of);
    require(twice == sorted.end(), "the header has the key {} twice",
            Quoted(twice == sorted.end() ? "" : (*twice)->name));
  }

  /// The tensors fill the values' bytes without gaps and without overlaps.
  void check_tiling() const {
    auto sorted = pointers_to_entries();
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

  const std::string_view header_;
  const std::int64_t data_bytes_;
  const std::string& file_;
  std::deque<TensorEntry> entries_;
  bool has_metadata_ = false;
  std::deque<std::string> metadata_keys_;

  Place place_ = Place::outside;
  std::string name_;  // The name of the tensor that is being read, as are all members below.
  std::string key_;   // The last one.
  std::optional<DType> dtype_;
  std::optional<Shape> shape_;
  std::optional<std::pair<std::int64_t, std::int64_t>> offsets_;
  std::vector<std::int64_t> numbers_;  // The array that is being read.
};

}  // namespace

std::string format_safetensors_header(const StateDict& state) {
  std::string header = "{";
  std::unordered_set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : state) {
    check(tensor.defined(), "save_checkpoint: {} is undefined", Quoted(name));
    check(name != kMetadata, "save_checkpoint: the name {} is reserved", Quoted(name));
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

std::deque<TensorEntry> parse_safetensors_header(std::string header, std::int64_t data_bytes,
                                                 const std::string& file) {
  thin_line_breaks(header);
  return HeaderParser(header, data_bytes, file).parse();
}

}  // namespace adjoint

#include "adjoint/data/idx.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <functional>
#include <limits>
#include <utility>
#include <zlib.h>

#include "adjoint/tensor/check.h"
#include "layers/io/file.h"
#include "layers/io/quote.h"

namespace adjoint {
namespace {

using Bytes = std::span<std::uint8_t>;
/// Fills bytes from the front and returns how many there were; fewer than asked for only at the end.
using Read = std::function<std::size_t(Bytes bytes)>;

constexpr std::array<std::uint8_t, 2> kGzipMagic = {0x1f, 0x8b};

/// Inflates a gzip file of one or more members, with padding behind each.
class Gunzip {
 public:
  /// start: the bytes that were already read to recognize the format.
  Gunzip(const Read& read, std::span<const std::uint8_t> start, const std::string& name)
      : read_(read), name_(name), taken_(start.size()) {
    std::copy(start.begin(), start.end(), input_.begin());
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(start.size());
    constexpr int kGzipFormat = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipFormat) != Z_OK) throw std::bad_alloc();
  }
  ~Gunzip() { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  std::size_t operator()(Bytes bytes) {
    stream_.next_out = bytes.data();
    stream_.avail_out = static_cast<uInt>(bytes.size());
    while (stream_.avail_out > 0) {
      if (between_members_ && !find_member()) break;
      check<FileError>(stream_.avail_in > 0 || refill(),
                       "{}: truncated gzip data: the file ends after {} bytes, before the gzip trailer",
                       name_, taken_);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      between_members_ = result == Z_STREAM_END;
      check<FileError>(between_members_ || result == Z_OK || result == Z_BUF_ERROR,
                       "{}: corrupt gzip data in front of byte {} of the file (the first is byte 0): {}",
                       name_, position(), stream_.msg ? stream_.msg : "unknown error");
      if (between_members_) inflateReset(&stream_);
    }
    return bytes.size() - stream_.avail_out;
  }

 private:
  /// Skips padding, and returns whether another member begins.
  bool find_member() {
    do {
      while (stream_.avail_in > 0 && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
      }
    } while (stream_.avail_in == 0 && refill());
    if (stream_.avail_in == 0) return false;
    check<FileError>(
        *stream_.next_in == kGzipMagic[0],
        "{}: byte {} of the file (the first is byte 0) must be padding (00) or begin more gzip data "
        "({:02x}), but is {:02x}",
        name_, position(), kGzipMagic[0], *stream_.next_in);
    return true;
  }

  bool refill() {
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(read_(input_));
    taken_ += stream_.avail_in;
    return stream_.avail_in > 0;
  }

  /// The position of the next byte in the file as it is stored.
  std::size_t position() const { return taken_ - stream_.avail_in; }

  const Read& read_;
  const std::string& name_;
  std::size_t taken_;
  z_stream stream_{};
  std::array<std::uint8_t, 1 << 16> input_;
  bool between_members_ = false;
};

/// The name of a type code of the format, such as "unsigned byte".
std::string element_type(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return "unsigned byte";
    case 0x09:
      return "signed byte";
    case 0x0b:
      return "short";
    case 0x0c:
      return "int";
    case 0x0d:
      return "float";
    case 0x0e:
      return "double";
    default:
      return fmt::format("an unknown type (code 0x{:02x})", code);
  }
}

/// The product of the sizes; one that overflows is an error even where another size is 0.
std::size_t count_values(const std::vector<std::int64_t>& sizes, const std::string& name) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    check<FileError>(size <= kLargest / product, "{}: sizes {} overflow: their product must be at most {}",
                     name, QuotedSizes(sizes), kLargest);
    product *= std::max<std::int64_t>(size, 1);
  }
  return std::count(sizes.begin(), sizes.end(), 0) > 0 ? 0 : static_cast<std::size_t>(product);
}

/// The bytes of a header: two zeros, the element type, the number of axes, then a big-endian size for each.
std::vector<std::int64_t> parse_sizes(const Read& read, std::span<const std::uint8_t, 4> magic,
                                      const std::string& name) {
  constexpr std::uint8_t kUnsignedByte = 0x08;
  check<FileError>(magic[0] == 0 && magic[1] == 0,
                   "{}: not an IDX file: it must start with bytes 00 00, but starts with {:02x} {:02x}", name,
                   magic[0], magic[1]);
  check<FileError>(magic[2] == kUnsignedByte, "{}: the values must be unsigned byte, but the header says {}",
                   name, element_type(magic[2]));
  std::vector<std::uint8_t> header(magic[3] * std::size_t{4});
  const std::size_t got = read(header);
  check<FileError>(got == header.size(), "{}: truncated: a header for {} axes is {} bytes, the file holds {}",
                   name, magic[3], magic.size() + header.size(), magic.size() + got);
  std::vector<std::int64_t> sizes;
  for (auto byte = header.begin(); byte != header.end(); byte += 4) {
    sizes.push_back(std::int64_t{byte[0]} << 24 | std::int64_t{byte[1]} << 16 | std::int64_t{byte[2]} << 8 |
                    byte[3]);
  }
  return sizes;
}

/// Up to count bytes. The header may claim more than the file holds, so memory is reserved only for `likely`
/// bytes at first. More is allocated when more bytes arrive.
std::vector<std::uint8_t> read_values(const Read& read, std::size_t count, std::size_t likely) {
  constexpr std::size_t kStep = 1 << 20;
  std::vector<std::uint8_t> values;
  values.reserve(std::min(count, likely));
  while (values.size() < count) {
    const std::size_t start = values.size(), step = std::min(count - start, kStep);
    values.resize(start + step);
    const std::size_t got = read(Bytes(values).subspan(start));
    values.resize(start + got);
    if (got < step) break;
  }
  return values;
}

/// The array in an uncompressed file that begins with magic; read gives the rest.
IdxFile parse(const Read& read, std::span<const std::uint8_t, 4> magic, std::size_t likely,
              const std::string& name, const IdxOptions& options) {
  IdxFile file;
  file.sizes = parse_sizes(read, magic, name);
  const std::size_t count = count_values(file.sizes, name);
  check<FileError>(std::cmp_less_equal(count, options.max_bytes),
                   "{}: sizes {} need {} bytes, but the option max_bytes allows {}", name,
                   QuotedSizes(file.sizes), count, options.max_bytes);
  file.values = read_values(read, count, likely);
  check<FileError>(file.values.size() == count, "{}: truncated: sizes {} need {} values, the file holds {}",
                   name, QuotedSizes(file.sizes), count, file.values.size());
  std::array<std::uint8_t, 1> more;  // one extra byte is enough to know
  check<FileError>(read(more) == 0, "{}: too long: sizes {} need {} values, the file holds more than {}",
                   name, QuotedSizes(file.sizes), count, count);
  return file;
}

std::array<std::uint8_t, 4> read_magic(const Read& read, const std::string& name) {
  std::array<std::uint8_t, 4> magic;
  const std::size_t got = read(magic);
  check<FileError>(got == magic.size(), "{}: truncated: an IDX file has at least {} bytes, this one holds {}",
                   name, magic.size(), got);
  return magic;
}

/// held: the size of the file as it is stored.
IdxFile parse_plain_or_gzip(const Read& read, std::size_t held, const std::string& name,
                            const IdxOptions& options) {
  constexpr std::size_t kUsualRatio = 8;  // images of digits shrink about five times
  const auto magic = read_magic(read, name);
  if (magic[0] != kGzipMagic[0] || magic[1] != kGzipMagic[1]) return parse(read, magic, held, name, options);
  Gunzip gunzip(read, magic, name);
  const Read unpacked = std::ref(gunzip);
  return parse(unpacked, read_magic(unpacked, name), kUsualRatio * held, name, options);
}

}  // namespace

IdxFile read_idx(std::span<const std::uint8_t> bytes, const std::string& name, const IdxOptions& options) {
  auto rest = bytes;
  const auto read = [&rest](Bytes to) {
    const std::size_t count = std::min(to.size(), rest.size());
    std::copy_n(rest.begin(), count, to.begin());
    rest = rest.subspan(count);
    return count;
  };
  return parse_plain_or_gzip(read, bytes.size(), name, options);
}

IdxFile read_idx(const std::string& path, const IdxOptions& options) {
  InputFile file(path);
  const auto read = [&](Bytes to) { return file.read({reinterpret_cast<char*>(to.data()), to.size()}); };
  return parse_plain_or_gzip(read, static_cast<std::size_t>(file.size()), path, options);
}

}  // namespace adjoint

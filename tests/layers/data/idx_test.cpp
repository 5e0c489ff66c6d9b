// IDX files: what is read back, and the error for each kind of broken file.

#include "adjoint/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck/gtest.h>

#include "tests/support/files.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

const Bytes kSix = {10, 20, 30, 40, 50, 60};

/// The message of the error that reading bytes, or a file, ends with.
std::string error_of(const Bytes& bytes, const IdxOptions& options = {}) {
  return support::error_of<FileError>([&] { read_idx(bytes, "some-file", options); });
}
std::string error_of(const std::filesystem::path& path) {
  return support::error_of<FileError>([&] { read_idx(path); });
}

void expect_both(const Bytes& bytes, const std::string& message) {
  EXPECT_EQ(error_of(bytes), message);
  EXPECT_EQ(error_of(gzip(bytes)), message);
}

Bytes first(std::size_t count, const Bytes& bytes) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Idx, ReadsPlainAndGzipFromFileAndMemory) {
  const TemporaryDirectory directory;
  const auto plain = idx_bytes({2, 3}, kSix);
  for (const auto& bytes : {plain, gzip(plain)}) {
    const auto path = directory.path() / "named-like-nothing";
    write_file(path, bytes);
    for (const auto& file : {read_idx(path), read_idx(bytes, "memory")}) {
      EXPECT_EQ(file.sizes, (std::vector<std::int64_t>{2, 3}));
      EXPECT_EQ(file.values, kSix);
    }
  }
}

TEST(Idx, SizesZeroAndOneAndNoAxes) {
  EXPECT_EQ(read_idx(idx_bytes({0}, {}), "empty").sizes, std::vector<std::int64_t>{0});
  EXPECT_TRUE(read_idx(idx_bytes({5, 0, 7}, {}), "empty").values.empty());
  EXPECT_EQ(read_idx(idx_bytes({1, 1, 1}, Bytes{9}), "one").values, Bytes{9});
  EXPECT_EQ(read_idx(idx_bytes({}, Bytes{9}), "scalar").values, Bytes{9});
  EXPECT_TRUE(read_idx(gzip(idx_bytes({0, 28, 28}, {})), "empty").values.empty());
}

TEST(Idx, ReadsMoreThanOneStepOfItsBuffers) {
  Bytes values(3'000'017);
  std::iota(values.begin(), values.end(), 0);
  const auto bytes = idx_bytes({3'000'017}, values);
  EXPECT_EQ(read_idx(bytes, "plain").values, values);
  EXPECT_EQ(read_idx(gzip(bytes), "gzip").values, values);
}

TEST(Idx, ReadsGzipOfSeveralMembers) {
  const auto bytes = idx_bytes({2, 3}, kSix);
  const auto two = joined(gzip(first(7, bytes)), gzip(Bytes(bytes.begin() + 7, bytes.end())));
  EXPECT_EQ(read_idx(two, "two").values, kSix);
}

TEST(Idx, MissingFileDirectoryAndUnreadable) {
  const TemporaryDirectory directory;
  const auto name = directory.path().string();
  EXPECT_EQ(error_of(directory.path() / "none"), name + "/none: no such file");
  EXPECT_EQ(error_of(directory.path()), name + ": must be a regular file, but is a directory");
  EXPECT_EQ(error_of(std::filesystem::path("/dev/null")),
            "/dev/null: must be a regular file, but is a device, a pipe or a socket");
  const std::string long_name(300, 'x');
  EXPECT_EQ(error_of(std::filesystem::path(long_name)), long_name + ": cannot be read: File name too long");
  // A regular file that opens and then fails to read, for every user.
  EXPECT_EQ(error_of(std::filesystem::path("/proc/self/mem")),
            "/proc/self/mem: cannot be read: Input/output error");
}

TEST(Idx, NotIdx) {
  expect_both({0x89, 'P', 'N', 'G'},
              "some-file: not an IDX file: it must start with bytes 00 00, but starts with 89 50");
  expect_both({}, "some-file: truncated: an IDX file has at least 4 bytes, this one holds 0");
  expect_both({0, 0, 8}, "some-file: truncated: an IDX file has at least 4 bytes, this one holds 3");
  EXPECT_EQ(error_of(gzip(gzip(idx_bytes({2, 3}, kSix)))),
            "some-file: not an IDX file: it must start with bytes 00 00, but starts with 1f 8b");
}

TEST(Idx, OtherElementTypes) {
  const std::pair<int, const char*> types[] = {{0x09, "signed byte"}, {0x0b, "short"},
                                               {0x0c, "int"},         {0x0d, "float"},
                                               {0x0e, "double"},      {0x0a, "an unknown type (code 0x0a)"}};
  for (const auto& [code, name] : types) {
    auto bytes = idx_bytes({2, 3}, kSix);
    bytes[2] = static_cast<std::uint8_t>(code);
    expect_both(bytes,
                std::string("some-file: the values must be unsigned byte, but the header says ") + name);
  }
}

TEST(Idx, Truncated) {
  const auto bytes = idx_bytes({2, 3}, kSix);
  expect_both(first(4, bytes), "some-file: truncated: a header for 2 axes is 12 bytes, the file holds 4");
  expect_both(first(11, bytes), "some-file: truncated: a header for 2 axes is 12 bytes, the file holds 11");
  expect_both(first(12, bytes), "some-file: truncated: sizes [2,3] need 6 values, the file holds 0");
  expect_both(first(17, bytes), "some-file: truncated: sizes [2,3] need 6 values, the file holds 5");
}

TEST(Idx, TooLong) {
  expect_both(idx_bytes({2, 2}, kSix),
              "some-file: too long: sizes [2,2] need 4 values, the file holds more than 4");
  expect_both(idx_bytes({0}, kSix),
              "some-file: too long: sizes [0] need 0 values, the file holds more than 0");
}

TEST(Idx, SizesThatOverflowOrAreAbsurd) {
  constexpr std::uint32_t kHuge = 0xffffffff;
  expect_both(
      idx_bytes({kHuge, kHuge}, kSix),
      "some-file: sizes [4294967295,4294967295] overflow: their product must be at most 9223372036854775807");
  expect_both(idx_bytes({kHuge, kHuge, 0}, {}),
              "some-file: sizes [4294967295,4294967295,0] overflow: their product must be at most "
              "9223372036854775807");
  expect_both(
      idx_bytes({kHuge, kHuge / 2}, kSix),  // 2^63, which no machine could hold
      "some-file: sizes [4294967295,2147483647] need 9223372030412324865 bytes, but the option max_bytes "
      "allows 805306368");
}

TEST(Idx, TheBoundIsCheckedAgainstTheHeader) {
  const auto bytes = idx_bytes({2, 3}, kSix);
  for (const Bytes& stored : {bytes, gzip(bytes)}) {
    EXPECT_EQ(error_of(stored, {.max_bytes = 6}), "no error");
    EXPECT_EQ(error_of(stored, {.max_bytes = 5}),
              "some-file: sizes [2,3] need 6 bytes, but the option max_bytes allows 5");
  }
  // The default, exactly; the values are not looked at.
  expect_both(idx_bytes({768, 1024, 1024}, kSix),
              "some-file: truncated: sizes [768,1024,1024] need 805306368 values, the file holds 6");
  expect_both(idx_bytes({805306369}, kSix),
              "some-file: sizes [805306369] need 805306369 bytes, but the option max_bytes allows 805306368");
  // The header promises 2^50 values. Reading must not allocate memory for all of them at once.
  const Bytes promising = idx_bytes({1 << 20, 1 << 20, 1 << 10}, kSix);
  for (const Bytes& stored : {promising, gzip(promising)}) {
    EXPECT_EQ(
        error_of(stored, {.max_bytes = INT64_MAX}),
        "some-file: truncated: sizes [1048576,1048576,1024] need 1125899906842624 values, the file holds 6");
  }
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  write_file(path, bytes);
  EXPECT_EQ(read_idx(path, {.max_bytes = 6}).values, kSix);
  EXPECT_THROW(read_idx(path, {.max_bytes = 5}), FileError);
}

TEST(Idx, AHeaderOfManyAxesMakesNoLongMessage) {
  const std::vector<std::uint32_t> sizes(255, 0xffffffff);
  expect_both(
      idx_bytes(sizes, {}),
      "some-file: sizes [4294967295,4294967295,4294967295,4294967295,4294967295,4294967295,4294967295,"
      "4294967295]... (255 sizes) overflow: their product must be at most 9223372036854775807");
}

TEST(Idx, GzipBombStopsBehindTheHeadersCount) {
  const Bytes zeros(64 << 20);
  EXPECT_EQ(error_of(gzip(idx_bytes({4}, zeros))),
            "some-file: too long: sizes [4] need 4 values, the file holds more than 4");
}

TEST(Idx, GzipMayEndInPadding) {
  const auto bytes = idx_bytes({2, 3}, kSix);
  const auto start = gzip(first(7, bytes)), end = gzip(Bytes(bytes.begin() + 7, bytes.end()));
  for (const std::size_t padding : {1, 511, 512, 200'000}) {
    const Bytes zeros(padding);
    EXPECT_EQ(read_idx(joined(gzip(bytes), zeros), "padded").values, kSix) << padding;
    EXPECT_EQ(read_idx(joined(joined(joined(start, zeros), end), zeros), "padded").values, kSix) << padding;
  }
}

TEST(Idx, CorruptGzip) {
  const auto good = gzip(idx_bytes({2, 3}, kSix));
  const auto expect_corrupt = [&](std::size_t place, int byte, std::size_t named, const std::string& what) {
    auto wrong = good;
    wrong[place] = static_cast<std::uint8_t>(byte);
    EXPECT_EQ(error_of(wrong), "some-file: corrupt gzip data in front of byte " + std::to_string(named) +
                                   " of the file (the first is byte 0): " + what);
  };
  // The trailer is a checksum of 4 bytes and a length of 4 bytes; the third byte of a file is its method.
  expect_corrupt(good.size() - 8, good[good.size() - 8] ^ 1, good.size() - 4, "incorrect data check");
  expect_corrupt(good.size() - 1, 1, good.size(), "incorrect length check");
  expect_corrupt(2, 7, 4, "unknown compression method");
  for (const std::size_t left : {good.size() - 1, std::size_t{12}}) {
    EXPECT_EQ(error_of(first(left, good)), "some-file: truncated gzip data: the file ends after " +
                                               std::to_string(left) + " bytes, before the gzip trailer");
  }
}

TEST(Idx, OtherBytesBehindGzip) {
  const auto good = gzip(idx_bytes({2, 3}, kSix));
  for (const std::size_t padding : {0, 1, 512, 70'000}) {
    const auto padded = joined(good, Bytes(padding));
    EXPECT_EQ(error_of(joined(padded, kSix)), "some-file: byte " + std::to_string(padded.size()) +
                                                  " of the file (the first is byte 0) must be padding (00) "
                                                  "or begin more gzip data (1f), but is 0a");
    EXPECT_EQ(error_of(joined(padded, {0x1f, 0x00})),
              "some-file: corrupt gzip data in front of byte " + std::to_string(padded.size() + 2) +
                  " of the file (the first is byte 0): incorrect header check");
    EXPECT_EQ(error_of(joined(padded, {0x1f})), "some-file: truncated gzip data: the file ends after " +
                                                    std::to_string(padded.size() + 1) +
                                                    " bytes, before the gzip trailer");
  }
  EXPECT_EQ(error_of(joined(good, good)),
            "some-file: too long: sizes [2,3] need 6 values, the file holds more than 6");
}

RC_GTEST_PROP(Idx, ReadsBackWhatWasWritten, ()) {
  const auto sizes = *rc::gen::resize(
      4, rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 6)));
  const auto count = std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>());
  const auto values = *rc::gen::container<Bytes>(count, rc::gen::arbitrary<std::uint8_t>());
  const auto bytes = idx_bytes(sizes, values);
  for (const auto& stored : {bytes, gzip(bytes)}) {
    const auto file = read_idx(stored, "written");
    RC_ASSERT(file.values == values);
    RC_ASSERT(std::equal(file.sizes.begin(), file.sizes.end(), sizes.begin(), sizes.end()));
  }
}

/// Reading ends with an array that fits its sizes or with a FileError; anything else leaves this function.
void check_reading(const Bytes& bytes) {
  try {
    const auto file = read_idx(bytes, "random");
    const auto count =
        std::accumulate(file.sizes.begin(), file.sizes.end(), std::int64_t{1}, std::multiplies<>());
    RC_ASSERT(static_cast<std::int64_t>(file.values.size()) == count);
  } catch (const FileError& error) {
    RC_ASSERT(std::string_view(error.what()).starts_with("random: "));
  }
}

RC_GTEST_PROP(Idx, RandomBytesNeverCrash, (const Bytes& tail)) {
  check_reading(tail);
  check_reading(joined({0, 0, 8}, tail));
  check_reading(joined({0x1f, 0x8b, 8, 0}, tail));
  check_reading(gzip(joined({0, 0, 8}, tail)));
}

RC_GTEST_PROP(Idx, DamagedFilesNeverCrash, (const Bytes& values)) {
  const auto bytes = idx_bytes({static_cast<std::uint32_t>(values.size())}, values);
  for (auto damaged : {bytes, gzip(bytes)}) {
    for (int changes = *rc::gen::inRange(1, 4); changes > 0; --changes) {
      damaged[*rc::gen::inRange<std::size_t>(0, damaged.size())] = *rc::gen::arbitrary<std::uint8_t>();
    }
    damaged.resize(*rc::gen::inRange<std::size_t>(0, damaged.size() + 1));
    check_reading(damaged);
  }
}

}  // namespace
}  // namespace adjoint

// Checkpoints: round trips, the bytes of the format, files that are wrong, and files that stay whole when
// saving fails. Headers are tested in safetensors_header_test.cpp.

#include "adjoint/io/checkpoint.h"

#include <bit>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "adjoint/modules/dense.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/files.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;
using namespace support;

/// A file with this header and then data_bytes bytes: 0, 1, 2, ...
Bytes file_of(const std::string& header, std::size_t data_bytes) {
  Bytes bytes(8 + header.size() + data_bytes);
  const std::uint64_t header_bytes = header.size();
  std::memcpy(bytes.data(), &header_bytes, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  for (std::size_t i = 0; i < data_bytes; ++i) bytes[8 + header.size() + i] = static_cast<std::uint8_t>(i);
  return bytes;
}

StateDict sample() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return {{"conv1.weight", tensor({1.5, -2, 3e-40, 4, 5, 6}, {3, 1, 2})},
          {"scalar", scalar(-0.0, {.dtype = float64})},
          {"step", tensor({-1, 1LL << 50}, {.dtype = int64})},
          {"nothing", zeros({0, 4})},
          {"größe \"q\"", tensor({kNan, 1 / 3.0}, {.dtype = float64})}};
}

void expect_equal(const StateDict& actual, const StateDict& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].name, expected[i].name);
    const Tensor &a = actual[i].tensor, &b = expected[i].tensor;
    ASSERT_EQ(a.shape(), b.shape()) << actual[i].name;
    ASSERT_EQ(a.dtype(), b.dtype()) << actual[i].name;
    visit(a.dtype(), [&]<class T>() {
      EXPECT_EQ(std::memcmp(a.data<T>().data(), b.data<T>().data(), a.data<T>().size_bytes()), 0)
          << actual[i].name;
    });
  }
}

class Checkpoint : public ::testing::Test {
 protected:
  fs::path path(const std::string& name = "net.safetensors") const { return directory_.path() / name; }

  /// Loading these bytes fails with the file's name and this text.
  void expect_refused(const Bytes& bytes, const std::string& message) const {
    write_file(path(), bytes);
    expect_error<FileError>(path().string() + ": " + message, [&] { load_checkpoint(path()); });
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_.path()), {}));
  }

  TemporaryDirectory directory_;
};

TEST_F(Checkpoint, RoundTrip) {
  save_checkpoint(path(), sample());
  expect_equal(load_checkpoint(path()), sample());
  EXPECT_EQ(files(), 1u);
  save_checkpoint(path(), {});
  EXPECT_TRUE(load_checkpoint(path()).empty());
}

TEST_F(Checkpoint, RestoresANetwork) {
  Rng rng(1), other(2);
  Sequential net(Dense(3, 4, {}, rng), Dense(4, 2, {.bias = false}, rng));
  Sequential copy(Dense(3, 4, {}, other), Dense(4, 2, {.bias = false}, other));
  save_checkpoint(path(), net.state_dict());
  copy.load_state_dict(load_checkpoint(path()));
  expect_equal(copy.state_dict(), net.state_dict());
}

TEST_F(Checkpoint, TheBytesAreSafetensors) {
  save_checkpoint(path(), {{"a", tensor({1, 2}, {2, 1})}, {"b", tensor({-2}, {.dtype = int64})}});
  const std::string header = R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})";
  Bytes expected = file_of(header + std::string((8 - header.size() % 8) % 8, ' '), 0);
  for (const int byte : {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
    expected.push_back(static_cast<std::uint8_t>(byte));
  EXPECT_EQ(read_file<Bytes>(path()), expected);
}

TEST_F(Checkpoint, ReadsWhatOthersWrite) {
  // Metadata, spaces, any order of keys and of offsets, a tensor that starts at an odd multiple of 4 bytes.
  write_file(path(), file_of(R"({"__metadata__": {"format": "pt"},
    "late":  {"data_offsets": [4, 12], "shape": [1], "dtype": "F64"},
    "early": {"dtype": "F32", "data_offsets": [0, 4], "shape": []}}   )",
                             12));
  const StateDict state = load_checkpoint(path());
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "late");
  EXPECT_EQ(state[0].tensor.shape(), Shape{1});
  EXPECT_EQ(std::bit_cast<std::uint64_t>(state[0].tensor.item()), 0x0b0a090807060504u);
  EXPECT_EQ(state[1].tensor.shape(), Shape{});
  EXPECT_EQ(std::bit_cast<std::uint32_t>(state[1].tensor.data<float>()[0]), 0x03020100u);
}

// A file may hold any bytes, but a bool that is neither 0 nor 1 must not be read.
TEST_F(Checkpoint, Booleans) {
  const bool values[] = {true, false};
  save_checkpoint(path(), {{"mask", from_data<bool>(values, {2})}});
  const Tensor saved = load_checkpoint(path())[0].tensor;
  EXPECT_EQ(saved.dtype(), boolean);
  EXPECT_TRUE(saved.data<bool>()[0]);
  EXPECT_FALSE(saved.data<bool>()[1]);
  write_file(path(), file_of(R"({"mask":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}})", 4));
  const Tensor read = load_checkpoint(path())[0].tensor;  // from the bytes 0, 1, 2 and 3
  const unsigned char expected[] = {0, 1, 1, 1};
  EXPECT_EQ(std::memcmp(read.data<bool>().data(), expected, 4), 0);
}

TEST_F(Checkpoint, RefusesToSave) {
  const Tensor one = ones({1});
  const auto save = [&](const StateDict& state) { return [=, this] { save_checkpoint(path(), state); }; };
  expect_error<Error>("save_checkpoint: \"a\" is undefined", save({{"a", Tensor()}}));
  expect_error<Error>("save_checkpoint: \"a\" comes twice", save({{"a", one}, {"b", one}, {"a", one}}));
  expect_error<Error>("save_checkpoint: the name \"__metadata__\" is reserved",
                      save({{"__metadata__", one}}));
  expect_error<Error>("save_checkpoint: names must be UTF-8, but one is \"\\xff\"", save({{"\xff", one}}));
  std::string name;
  name.resize(100'000'000, 'x');
  const StateDict endless = {{name, one}};
  expect_error<Error>(
      "save_checkpoint: names and shapes must fit into a header of 100000000 bytes, they take "
      "100000056",
      [&] { save_checkpoint(path(), endless); });
  EXPECT_EQ(files(), 0u);
}

TEST_F(Checkpoint, PlacesThatCannotBeWritten) {
  const auto expect = [](const fs::path& where, const std::string& message) {
    SCOPED_TRACE(where);
    const std::string text = where.string() + ": " + message;
    expect_error<FileError>(text, [&] { check_can_save(where); });
    expect_error<FileError>(text, [&] { save_checkpoint(where, sample()); });
  };
  expect(path("none/net"), "cannot be written: No such file or directory");
  expect(directory_.path(), "must be a regular file, but is a directory");
  // A device of the test's own, which only root can make: if the rule broke, /dev/full would be replaced.
  const fs::path device = path("full"), pipe = path("pipe");
  if (mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 7)) == 0) {
    expect(device, "must be a regular file, but is a device, a pipe or a socket");
    fs::remove(device);
  }
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect(pipe, "must be a regular file, but is a device, a pipe or a socket");
  fs::remove(pipe);
  expect(path("new/"), "cannot be written: it names a directory");
  write_file(path("file"), {});
  expect(path("file/net"), "cannot be written: Not a directory");
  expect(path(std::string(300, 'x')), "cannot be written: File name too long");
  for (const std::string& nowhere : {std::string(), std::string("net\0.safetensors", 16)}) {
    const std::string text = "a path that is empty or holds a zero byte cannot be written";
    expect_error<FileError>(text, [&] { check_can_save(nowhere); });
    expect_error<FileError>(text, [&] { save_checkpoint(nowhere, sample()); });
  }
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, CheckingAPlaceChangesNothing) {
  check_can_save(path());
  EXPECT_EQ(files(), 0u);
  write_file(path(), Bytes{1, 2});
  const auto before = fs::last_write_time(path());
  check_can_save(path());
  EXPECT_EQ(read_file<Bytes>(path()), (Bytes{1, 2}));
  EXPECT_EQ(fs::last_write_time(path()), before);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, AFullDiskLeavesTheOldFile) {
  save_checkpoint(path(), sample());
  const Bytes before = read_file<Bytes>(path());
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error<FileError>(path().string() + ": cannot be written: File too large", [&] {
    save_checkpoint(path(), {{"big", zeros({100'000})}});
  });
  setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file<Bytes>(path()), before);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, AnOldPartialFileIsNotInTheWay) {
  write_file(path("net.safetensors.partial0"), Bytes{1});
  save_checkpoint(path(), sample());
  expect_equal(load_checkpoint(path()), sample());
  EXPECT_EQ(read_file<Bytes>(path("net.safetensors.partial0")), Bytes{1});
}

TEST_F(Checkpoint, FilesThatCannotBeRead) {
  const auto expect = [](const fs::path& where, const std::string& message) {
    expect_error<FileError>(where.string() + ": " + message, [&] { load_checkpoint(where); });
  };
  expect(path("none"), "no such file");
  expect(directory_.path(), "must be a regular file, but is a directory");
  expect("/dev/zero", "must be a regular file, but is a device, a pipe or a socket");
  expect(path(std::string(300, 'x')), "cannot be read: File name too long");
  expect_error<FileError>("a path that is empty or holds a zero byte cannot be read",
                          [] { load_checkpoint(""); });
}

TEST_F(Checkpoint, RefusesWhatIsNoSafetensorsFile) {
  expect_refused(Bytes{}, "must be a safetensors file, but is only 0 bytes long");
  expect_refused(Bytes(7), "must be a safetensors file, but is only 7 bytes long");
  const auto announced = [](const std::string& header, const std::string& follow) {
    return "must be a safetensors file, but its first 8 bytes announce a header of " + header + " bytes, " +
           follow + " follow, and a header has at most 100000000";
  };
  expect_refused(Bytes(100, 0xff), announced("18446744073709551615", "92"));
  expect_refused(Bytes{3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, announced("3", "2"));
  // One byte beyond the longest header, all of them there; and the longest one.
  Bytes start = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0};
  write_file(path(), start);
  fs::resize_file(path(), 8 + 100'000'001);
  expect_error<FileError>(path().string() + ": " + announced("100000001", "100000001"),
                          [&] { load_checkpoint(path()); });
  start[0] = 0;
  write_file(path(), start);
  fs::resize_file(path(), 8 + 100'000'001);
  expect_error<FileError>(
      path().string() + R"(: the header must be JSON, but byte 0 is wrong; the text up to it is "\x00")",
      [&] { load_checkpoint(path()); });
}

TEST_F(Checkpoint, RefusesACutFile) {
  save_checkpoint(path(), sample());
  Bytes bytes = read_file<Bytes>(path());
  bytes.pop_back();
  expect_refused(
      bytes,
      "tensor \"größe \\\"q\\\"\" must lie within the 63 bytes of values, its data_offsets are [48,64]");
}

TEST_F(Checkpoint, ManyNamesAndMetadata) {
  constexpr int kNames = 80'000, kKeys = 100'000;
  const auto name = [](int k) { return fmt::format("block{}.layer.weight", k); };
  StateDict state;
  for (int k = 0; k < kNames; ++k) state.push_back({name(k), scalar(k, {.dtype = int64})});
  save_checkpoint(path(), state);
  std::string header = R"({"__metadata__":{)";
  for (int k = 0; k < kKeys; ++k) header += fmt::format(R"("key{}":"value",)", k);
  header.back() = '}';
  const Bytes saved = read_file<Bytes>(path());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, saved.data(), 8);
  header +=
      ',' + std::string(saved.begin() + 9, saved.begin() + 8 + static_cast<std::ptrdiff_t>(header_bytes));
  Bytes bytes = file_of(header, 0);
  bytes.insert(bytes.end(), saved.begin() + 8 + static_cast<std::ptrdiff_t>(header_bytes), saved.end());
  write_file(path(), bytes);
  expect_equal(load_checkpoint(path()), state);
}

/// Loads the bytes, which must give a state or a FileError and nothing else.
void load_any(const fs::path& path, const Bytes& bytes) {
  write_file(path, bytes);
  try {
    load_checkpoint(path);
  } catch (const FileError&) {
  }
}

RC_GTEST_FIXTURE_PROP(Checkpoint, SurvivesDamage, ()) {
  save_checkpoint(path(), sample());
  Bytes bytes = read_file<Bytes>(path());
  const auto flips = *rc::gen::inRange(1, 4);
  for (int k = 0; k < flips; ++k) {
    const auto place = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[place] = static_cast<std::uint8_t>(bytes[place] ^ 1u << *rc::gen::inRange(0, 8));
  }
  bytes.resize(
      *rc::gen::oneOf(rc::gen::just(bytes.size()), rc::gen::inRange<std::size_t>(0, 2 * bytes.size())));
  load_any(path(), bytes);
}

RC_GTEST_FIXTURE_PROP(Checkpoint, SurvivesRandomBytes, (Bytes bytes)) {
  load_any(path(), bytes);
  load_any(path(), file_of(std::string(bytes.begin(), bytes.end()), 3));
}

}  // namespace
}  // namespace adjoint

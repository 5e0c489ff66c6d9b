// Checkpoints: round trips, the bytes of the format, every way a file can be wrong, and files that stay whole
// when saving fails.

#include "layers/checkpoint.h"

#include <bit>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>
#include <streambuf>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "autograd/create.h"
#include "layers/dense.h"
#include "layers/quote.h"
#include "layers/safetensors_header.h"
#include "layers/sequential.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/files.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;
using support::expect_error;
using support::numbers;
using support::TemporaryDirectory;
using support::write_file;
using Bytes = std::vector<std::uint8_t>;

Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// A file with this header before so many bytes of values 0, 1, 2, ...
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
    expect_error<FileError>([&] { load_checkpoint(path()); }, path().string() + ": " + message);
  }
  void expect_refused(const std::string& header, std::size_t data_bytes, const std::string& message) const {
    SCOPED_TRACE(header);
    expect_refused(file_of(header, data_bytes), message);
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
  EXPECT_EQ(read_file(path()), expected);
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

TEST_F(Checkpoint, RefusesToSave) {
  const Tensor one = ones({1});
  const auto save = [&](StateDict state) { return [=, this] { save_checkpoint(path(), state); }; };
  expect_error<Error>(save({{"a", Tensor()}}), "save_checkpoint: \"a\" is undefined");
  expect_error<Error>(save({{"a", one}, {"b", one}, {"a", one}}), "save_checkpoint: \"a\" comes twice");
  expect_error<Error>(save({{"__metadata__", one}}),
                      "save_checkpoint: the name \"__metadata__\" is reserved");
  expect_error<Error>(save({{"\xff", one}}), "save_checkpoint: names must be UTF-8, but one is \"\\xff\"");
  const StateDict endless = {{std::string(100'000'000, 'x'), one}};
  expect_error<Error>(
      [&] { save_checkpoint(path(), endless); },
      "save_checkpoint: names and shapes must fit into a header of 100000000 bytes, they take "
      "100000056");
  EXPECT_EQ(files(), 0u);
}

TEST_F(Checkpoint, PlacesThatCannotBeWritten) {
  const auto expect = [](const fs::path& where, const std::string& message) {
    SCOPED_TRACE(where);
    const std::string text = where.string() + ": cannot be written: " + message;
    expect_error<FileError>([&] { check_can_save(where); }, text);
    expect_error<FileError>([&] { save_checkpoint(where, sample()); }, text);
  };
  expect(path("none/net"), "No such file or directory");
  expect(directory_.path(), "it is a directory");
  // A device of the test's own, which only root can make: if the rule broke, /dev/full would be replaced.
  const fs::path device = path("full"), pipe = path("pipe");
  if (mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 7)) == 0) {
    expect(device, "it is a device, a pipe or a socket");
    fs::remove(device);
  }
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect(pipe, "it is a device, a pipe or a socket");
  fs::remove(pipe);
  expect(path("new/"), "it names a directory");
  write_file(path("file"), {});
  expect(path("file/net"), "Not a directory");
  expect(path(std::string(300, 'x')), "File name too long");
  for (const std::string& nowhere : {std::string(), std::string("net\0.safetensors", 16)}) {
    const std::string text = "a file cannot be written: its path is empty or holds a zero byte";
    expect_error<FileError>([&] { check_can_save(nowhere); }, text);
    expect_error<FileError>([&] { save_checkpoint(nowhere, sample()); }, text);
  }
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, CheckingAPlaceChangesNothing) {
  check_can_save(path());
  EXPECT_EQ(files(), 0u);
  write_file(path(), Bytes{1, 2});
  const auto before = fs::last_write_time(path());
  check_can_save(path());
  EXPECT_EQ(read_file(path()), (Bytes{1, 2}));
  EXPECT_EQ(fs::last_write_time(path()), before);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, AFullDiskLeavesTheOldFile) {
  save_checkpoint(path(), sample());
  const Bytes before = read_file(path());
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error<FileError>(
      [&] {
        save_checkpoint(path(), {{"big", zeros({100'000})}});
      },
      path().string() + ": cannot be written: File too large");
  setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(path()), before);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Checkpoint, AnOldPartialFileIsNotInTheWay) {
  write_file(path("net.safetensors.partial0"), Bytes{1});
  save_checkpoint(path(), sample());
  expect_equal(load_checkpoint(path()), sample());
  EXPECT_EQ(read_file(path("net.safetensors.partial0")), Bytes{1});
}

TEST_F(Checkpoint, FilesThatCannotBeRead) {
  const auto expect = [](const fs::path& where, const std::string& message) {
    expect_error<FileError>([&] { load_checkpoint(where); }, where.string() + ": " + message);
  };
  expect(path("none"), "no such file");
  expect(directory_.path(), "must be a regular file, but is a directory");
  expect("/dev/zero", "must be a regular file, but is a device, a pipe or a socket");
  expect(path(std::string(300, 'x')), "cannot be read: File name too long");
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
  expect_error<FileError>([&] { load_checkpoint(path()); },
                          path().string() + ": " + announced("100000001", "100000001"));
  start[0] = 0;
  write_file(path(), start);
  fs::resize_file(path(), 8 + 100'000'001);
  expect_error<FileError>([&] { load_checkpoint(path()); },
                          path().string() + R"(: byte 0 of the header must be '{', but is "\x00")");
}

TEST_F(Checkpoint, RefusesHeadersThatAreNoJson) {
  const auto expect = [&](const std::string& header, const std::string& message) {
    expect_refused(header, 0, message);
  };
  const auto ends = [](int bytes) { return fmt::format("the header must not end at byte {}", bytes); };
  const auto wrong = [](int byte, const char* rule, const char* found) {
    return fmt::format("byte {} of the header must {}, but is {}", byte, rule, found);
  };
  expect("", ends(0));
  expect("  ", ends(2));
  expect("nonsense", wrong(0, "be '{'", R"("n")"));
  expect("[]", wrong(0, "be '{'", R"("[")"));
  expect("\"text\"", wrong(0, "be '{'", R"("\"")"));
  expect("\xef\xbb\xbf{}", wrong(0, "be '{'", R"("\xef")"));
  expect("{", ends(1));
  expect("{,}", wrong(1, "be '\"'", R"(",")"));
  expect(R"({"a")", ends(4));
  expect(R"({"a"})", wrong(4, "be ':'", R"("}")"));
  expect(R"({"a":})", wrong(5, "be '{'", R"("}")"));
  expect(R"({"a":1})", wrong(5, "be '{'", R"("1")"));
  expect(R"({"a":[[[[)", wrong(5, "be '{'", R"("[")"));
  expect(R"({"a":{"dtype":32}})", wrong(14, "be '\"'", R"("3")"));
  expect(R"({"a":{"dtype":"F32",}})", wrong(20, "be '\"'", R"("}")"));
  expect(R"({"a":{"dtype":"F32" "shape":[]}})", wrong(20, "be ',' or '}'", R"("\"")"));
  expect(R"({"a":{"shape":[1 2]}})", wrong(17, "be ',' or ']'", R"("2")"));
  expect(R"({"a":{"shape":[1,]}})", wrong(17, "start a whole number from 0 to 2^63 - 1", R"("]")"));
  expect("{\"a\nb\":1}", wrong(3, "be escaped in a string", R"("\x0a")"));
  expect(R"({"\x":1})", wrong(3, "be one of \"\\/bfnrtu", R"("x")"));
  expect(R"({"\u00g0":1})", wrong(6, "be a hexadecimal digit", R"("g")"));
  expect(R"({"\ud800\n":1})", wrong(9, "be the 'u' of a surrogate pair", R"("n")"));
  expect("{\"a", ends(3));
  expect("{\"\\", ends(3));
  expect("{\"\\u12", ends(6));
  expect("{\"\xff\":1}", R"(the string at byte 2 of the header must be UTF-8, but is "\xff")");
  for (const char* half : {R"(\ud800)", R"(\udc00)", R"(\ud800\ud800)", R"(\ud800x)"}) {
    SCOPED_TRACE(half);
    write_file(path(), file_of("{\"" + std::string(half) + "\":1}", 0));
    try {
      load_checkpoint(path());
      ADD_FAILURE() << "no error";
    } catch (const FileError& error) {
      EXPECT_NE(
          std::string_view(error.what()).find("the string at byte 2 of the header must be UTF-8, but is "),
          std::string_view::npos)
          << error.what();
    }
  }
}

TEST_F(Checkpoint, RefusesWhatFollowsTheJson) {
  for (const char c : {'\0', '\v', 'x', '{', '}', ',', '\x7f'}) {
    for (const std::string& rest : {std::string(), std::string(7, ' '), std::string("{}")}) {
      const std::string header = std::string("{}  ") + c + rest;
      expect_refused(
          header, 0,
          fmt::format("byte 4 of the header must be a space, since the JSON ends before it, but is {}",
                      Quoted(std::string_view(&c, 1))));
    }
  }
  write_file(path(), file_of("{} \t\r\n", 0));  // what JSON calls space
  EXPECT_TRUE(load_checkpoint(path()).empty());
}

TEST_F(Checkpoint, RefusesKeysThatComeTwice) {
  const std::string tensor = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  expect_refused(R"({"a":)" + tensor + R"(,"b":)" + tensor + R"(,"a":)" + tensor + "}", 0,
                 "the header has the key \"a\" twice");
  expect_refused(R"({"\u0061":)" + tensor + R"(,"a":)" + tensor + "}", 0,
                 "the header has the key \"a\" twice");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    const std::string value = key == std::string("dtype") ? "\"F32\"" : "[0,0]";
    expect_refused(fmt::format(R"({{"a":{{"{}":{},"{}":{}}}}})", key, value, key, value), 0,
                   fmt::format("tensor \"a\" has the key \"{}\" twice", key));
  }
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", 0,
                 "the header has the key \"__metadata__\" twice");
  expect_refused(R"({"__metadata__":{"k":"","l":"","k":""}})", 0, "the metadata have the key \"k\" twice");
}

TEST_F(Checkpoint, RefusesMetadataThatAreNotStrings) {
  expect_refused(R"({"__metadata__":"text"})", 0, "byte 16 of the header must be '{', but is \"\\\"\"");
  for (const char* value : {"1", "null", "{}", "[]", "true"}) {
    expect_refused(fmt::format(R"({{"__metadata__":{{"k":{}}}}})", value), 0,
                   fmt::format("byte 21 of the header must be '\"', but is \"{}\"", value[0]));
  }
}

TEST_F(Checkpoint, ErrorsAreNoLongerThanALine) {
  const std::string huge(3'000'000, 'x');
  const std::string tensor = R"({"dtype":"F32","shape":[1],"data_offsets":[0,0]})";
  for (const std::string& header :
       {"{\"" + huge + "\":" + tensor + "}", "{\"" + huge + "\":1}", "{\"" + huge + "\xff\":1}", "\"" + huge,
        R"({"a":{"dtype":")" + huge + "\"}}", R"({"a":{")" + huge + "\":1}}",
        R"({"__metadata__":{")" + huge + R"(":"",")" + huge + "\":\"\"}}",
        R"({"a":{"shape":[1,1,1,1,1,1,1,1,1)" + huge, R"({"a":{"data_offsets":[1,1,1)" + huge,
        R"({"a":{"shape":[)" + std::string(3'000'000, '1')}) {
    write_file(path(), file_of(header, 0));
    try {
      load_checkpoint(path());
      ADD_FAILURE() << "no error";
    } catch (const FileError& error) {
      EXPECT_LE(std::strlen(error.what()), 300 + path().string().size()) << error.what();
    }
  }
}

/// Spaces without end, of which it counts how many were taken.
class Endless : public std::streambuf {
 public:
  explicit Endless(std::string start) : start_(std::move(start)) {}
  std::int64_t taken = 0;

 private:
  std::streamsize xsgetn(char* to, std::streamsize count) override {
    std::fill_n(to, count, ' ');
    if (taken == 0) std::copy(start_.begin(), start_.end(), to);
    taken += count;
    return count;
  }
  std::string start_;
};

TEST_F(Checkpoint, AWrongByteEndsTheReading) {
  for (const char* start : {"[", "\"", R"({"a":[)", R"({"a":{"shape":[1,1,1,1,1,1,1,1,1,)",
                            R"({"a":{"data_offsets":[1,1,1)", R"({"a":{"more":)", R"({"__metadata__":[)"}) {
    Endless source(start);
    std::istream stream(&source);
    EXPECT_THROW(parse_safetensors_header(stream, 90'000'000, 0, "file"), FileError) << start;
    EXPECT_LE(source.taken, 1 << 16) << start;
  }
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
  const Bytes saved = read_file(path());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, saved.data(), 8);
  header +=
      ',' + std::string(saved.begin() + 9, saved.begin() + 8 + static_cast<std::ptrdiff_t>(header_bytes));
  Bytes bytes = file_of(header, 0);
  bytes.insert(bytes.end(), saved.begin() + 8 + static_cast<std::ptrdiff_t>(header_bytes), saved.end());
  write_file(path(), bytes);
  expect_equal(load_checkpoint(path()), state);
}

TEST_F(Checkpoint, RefusesTensorsThatAreNotDescribed) {
  const std::string rule = "tensor \"a\" must have dtype, shape and data_offsets, it ";
  expect_refused(R"({"a":{}})", 0, rule + "lacks dtype");
  expect_refused(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, rule + "lacks shape");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4, rule + "lacks data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offset":[0,4]}})", 4, rule + "has \"data_offset\"");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":0}})", 4,
                 rule + "has \"more\"");
  expect_refused(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2,
                 "tensor \"a\" must be F32, F64 or I64, it is \"F16\"");
  const std::string start = R"({"a":{"dtype":"F32","shape":)";
  const auto byte = [&](std::size_t place, const std::string& rule) {
    return fmt::format("byte {} of the header must {}", start.size() + place, rule);
  };
  const std::string natural = "start a whole number from 0 to 2^63 - 1, but is ";
  const auto expect = [&](const std::string& shape, const std::string& message) {
    expect_refused(start + shape + R"(,"data_offsets":[0,4]}})", 4, message);
  };
  expect("1", byte(0, "be '[', but is \"1\""));
  expect("{}", byte(0, "be '[', but is \"{\""));
  expect("null", byte(0, "be '[', but is \"n\""));
  expect("[-1]", byte(1, natural + "\"-\""));
  expect("[\"1\"]", byte(1, natural + "\"\\\"\""));
  expect("[[1]]", byte(1, natural + "\"[\""));
  expect("[1.0]", byte(2, "be ',' or ']', but is \".\""));
  expect("[1e0]", byte(2, "be ',' or ']', but is \"e\""));
  expect("[01]", byte(2, "be ',' or ']', but is \"1\""));
  expect("[9223372036854775808]", byte(19, "end a number below 2^63, but is \"8\""));
  expect("[18446744073709551617]", byte(20, "end a number below 2^63, but is \"7\""));
}

TEST_F(Checkpoint, RefusesSizesThatDoNotFit) {
  const auto header = [](const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  for (const char* offsets : {"[8,4]", "[0,12]", "[0,9223372036854775807]"})
    expect_refused(
        header("[1]", offsets), 8,
        std::string("tensor \"a\" must lie within the 8 bytes of values, its data_offsets are ") + offsets);
  expect_refused(header("[1]", "[]"), 8, "tensor \"a\" must have two data_offsets, they are []");
  expect_refused(header("[1]", "[0]"), 8, "tensor \"a\" must have two data_offsets, they are [0]");
  expect_refused(header("[1]", "[0,4,8]"), 8, "tensor \"a\" must have two data_offsets, it has more");
  expect_refused(header("[3]", "[0,8]"), 8, "tensor \"a\" of shape [3] does not fill its 8 bytes");
  expect_refused(header("[1]", "[0,7]"), 7, "tensor \"a\" of shape [1] does not fill its 7 bytes");
  expect_refused(header("[1]", "[0,0]"), 0, "tensor \"a\" of shape [1] does not fill its 0 bytes");
  expect_refused(header("[4294967296,4294967296]", "[0,4]"), 4,
                 "tensor \"a\": shape: too many elements, the product of [4294967296,4294967296] overflows");
  expect_refused(header("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4,
                 "tensor \"a\": at most 8 axes are supported, its shape has more");
}

TEST_F(Checkpoint, RefusesHolesOverlapsAndTrailingBytes) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
  };
  expect_refused(two("[0,4]", "[0,4]"), 8, "tensor \"b\" must start at byte 4 of the values, it starts at 0");
  expect_refused(two("[2,6]", "[0,4]"), 8, "tensor \"a\" must start at byte 4 of the values, it starts at 2");
  expect_refused(two("[0,4]", "[8,12]"), 12,
                 "tensor \"b\" must start at byte 4 of the values, it starts at 8");
  expect_refused(two("[0,4]", "[4,8]"), 9, "the tensors take 8 bytes, the file holds 9");
  expect_refused("{}", 1, "the tensors take 0 bytes, the file holds 1");

  save_checkpoint(path(), sample());
  Bytes bytes = read_file(path());
  bytes.pop_back();
  expect_refused(
      bytes,
      "tensor \"größe \\\"q\\\"\" must lie within the 63 bytes of values, its data_offsets are [48,64]");
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
  Bytes bytes = read_file(path());
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

/// Any text of the characters that JSON, UTF-8 and UTF-16 treat differently.
rc::Gen<std::string> any_name() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
          "a", "\"", "\\", "/", "\b", "\f", "\n", "\r", "\t", "\x01", "\x1f", std::string(1, '\0'), "\x7f",
          "ä", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0001d6fc", "\U0010ffff")),
      [](const std::vector<std::string>& characters) {
        std::string name = "n";
        for (const std::string& character : characters) name += character;
        return name;
      });
}

RC_GTEST_FIXTURE_PROP(Checkpoint, NamesAreJsonAsAnotherLibraryHasIt, ()) {
  const std::string name = *any_name();
  save_checkpoint(path(), {{name, scalar(1)}});
  const Bytes bytes = read_file(path());
  const auto header = nlohmann::json::parse(bytes.begin() + 8, bytes.end() - 4);
  RC_ASSERT(header.size() == 1u && header.begin().key() == name);
  for (const bool only_ascii : {false, true}) {
    write_file(path(), file_of(header.dump(-1, ' ', only_ascii), 4));
    RC_ASSERT(load_checkpoint(path()).at(0).name == name);
  }
}

/// Headers of the right words in a random order.
RC_GTEST_FIXTURE_PROP(Checkpoint, SurvivesRandomHeaders, ()) {
  const auto words = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "{", "}", "[", "]", ",", ":", "\"a\"", "\"dtype\"", "\"F32\"", "\"shape\"", "\"data_offsets\"", "0",
      "4", "-1", "18446744073709551615", "null", R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})"));
  std::string header = "{";
  for (const std::string& word : words) header += word;
  load_any(path(), file_of(header + "}", 4));
}

}  // namespace
}  // namespace adjoint

// Headers of safetensors files: what is written, what is read, and every way a header can be wrong.

#include "layers/io/safetensors_header.h"

#include <cstring>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <string_view>
#include <sys/resource.h>
#include <utility>

#include "adjoint/io/file_error.h"
#include "adjoint/tensor/create.h"
#include "layers/io/quote.h"
#include "tests/support/child_process.h"
#include "tests/support/sanitized.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::error_of;
using support::expect_error;

/// Expects that a header is refused with this text, in a file "net" with data_bytes bytes of values.
void expect_refused(const std::string& header, std::int64_t data_bytes, const std::string& message) {
  SCOPED_TRACE(header);
  expect_error<FileError>("net: " + message, [&] { parse_safetensors_header(header, data_bytes, "net"); });
}

TEST(SafetensorsHeader, NamesAreEscaped) {
  const auto header = [](const std::string& name) { return format_safetensors_header({{name, scalar(1)}}); };
  const auto expect = [&](const std::string& name, const std::string& json) {
    EXPECT_TRUE(header(name).starts_with("{\"" + json + "\":{\"dtype\"")) << header(name);
  };
  expect("größe 𝛼", "größe 𝛼");
  expect("a\"b\\c/d", R"(a\"b\\c/d)");
  expect("\b\f\n\r\t", R"(\b\f\n\r\t)");
  expect(std::string("\0\x01\x1f\x7f", 4), "\\u0000\\u0001\\u001f\x7f");
}

TEST(SafetensorsHeader, EscapesAreRead) {
  const auto entries = parse_safetensors_header(
      R"({"\u0061\u00e4\u20AC\ud835\udefc\"\\\/\b\f\n\r\t\u0000":{"dtype":"I64","shape":[0],"data_offsets":[0,0]}})",
      0, "net");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].name, std::string("aä€\U0001d6fc\"\\/\b\f\n\r\t") + '\0');
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

RC_GTEST_PROP(SafetensorsHeader, NamesComeBack, ()) {
  const std::string name = *any_name();
  RC_ASSERT(parse_safetensors_header(format_safetensors_header({{name, scalar(1)}}), 4, "net").at(0).name ==
            name);
}

TEST(SafetensorsHeader, RefusesWhatIsNoJson) {
  const auto expect_end = [](const std::string& header) {
    expect_refused(header, 0,
                   fmt::format("the header must be JSON, but ends too early, at byte {}", header.size()));
  };
  for (const char* header : {"", "  ", "{", R"({"a")", R"({"a":)", R"({"a":{)", "{\"a", "{\"\\", "{\"\\u12"})
    expect_end(header);

  const auto expect_wrong = [](const std::string& header, std::size_t byte) {
    expect_refused(header, 0,
                   fmt::format("the header must be JSON, but byte {} is wrong; the text up to it is {}", byte,
                               Quoted(header.substr(0, byte + 1))));
  };
  expect_wrong("nonsense", 1);  // after the 'n' of null
  expect_wrong("\xef\xbb\xbf{}", 0);
  expect_wrong("\xef{}", 1);
  expect_wrong("{,}", 1);
  expect_wrong(R"({"a"})", 4);
  expect_wrong(R"({"a":})", 5);
  expect_wrong(R"({"a":{"dtype":"F32",}})", 20);
  expect_wrong(R"({"a":{"dtype":"F32" "shape":[]}})", 26);
  expect_wrong(R"({"a":{"shape":[1 2]}})", 17);
  expect_wrong(R"({"a":{"shape":[1,]}})", 17);
  expect_wrong(R"({"a":{"shape":[01]}})", 16);
  expect_wrong("{\"a\nb\":1}", 3);
  expect_wrong("{\"a\n \n\n\":1}", 3);
  expect_wrong("{ /* */ }", 2);
  expect_wrong(std::string("{\"a\0\":1}", 8), 3);
  expect_wrong(R"({"\x":1})", 3);
  expect_wrong(R"({"\u00g0":1})", 6);
  expect_wrong(R"({"\ud800\n":1})", 9);
  expect_wrong("{\"\xff\":1}", 2);
  expect_wrong(R"({"\ud800":1})", 8);  // half a surrogate pair, as are the next ones
  expect_wrong(R"({"\udc00":1})", 7);
  expect_wrong(R"({"\ud800\ud800":1})", 13);
  expect_wrong(R"({"\ud800x":1})", 8);
  expect_refused(R"({"a":{"shape":[0],"data_offsets":[0,0],}})", 0,
                 R"(the header must be JSON, but byte 39 is wrong; the text up to it is )"
                 R"("pe\":[0],\"data_offsets\":[0,0],}")");
}

TEST(SafetensorsHeader, RefusesWhatFollowsTheJson) {
  for (const char c : {'\0', '\v', 'x', '{', '}', ',', '\x7f'}) {
    for (const std::string& rest : {std::string(), std::string(7, ' '), std::string("{}")}) {
      const std::string header = std::string("{}  ") + c + rest;
      expect_refused(header, 0,
                     fmt::format("the header must be JSON, but byte 4 is wrong; the text up to it is {}",
                                 Quoted(header.substr(0, 5))));
    }
  }
  EXPECT_TRUE(parse_safetensors_header(" \n\n{ \t\r\n} \t\r\n", 0, "net").empty());  // what JSON calls space
}

TEST(SafetensorsHeader, RefusesKeysThatComeTwice) {
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

/// JSON values, and how errors show them.
constexpr std::pair<const char*, const char*> kWrongValues[] = {
    {"1", "1"},       {"-1", "-1"},     {"-0", "-0"},       {"1.0", "the number \"1.0\""},
    {"null", "null"}, {"true", "true"}, {"false", "false"}, {"1e999", "the number \"1e999\""}};

TEST(SafetensorsHeader, RefusesValuesOfTheWrongKind) {
  const auto expect = [](const std::string& start, const std::string& rule,
                         std::vector<std::pair<const char*, const char*>> others) {
    others.insert(others.end(), std::begin(kWrongValues), std::end(kWrongValues));
    for (const auto& [value, shown] : others) expect_refused(start + value, 0, rule + ", but is " + shown);
  };
  const std::pair<const char*, const char*> object = {"{}", "an object"}, array = {"[[[[", "an array"},
                                            string = {"\"text\"", "\"text\""};
  expect("", "the header must be an object", {array, string});
  expect(R"({"a":)", "tensor \"a\" must be an object", {array, string});
  expect(R"({"__metadata__":)", "the value of \"__metadata__\" must be an object", {array, string});
  expect(R"({"__metadata__":{"j":"","k":)", "the metadata's \"k\" must be a string", {array, object});
  expect(R"({"a":{"dtype":)", "tensor \"a\": \"dtype\" must be a string", {array, object});
  for (const std::string key : {"shape", "data_offsets"}) {
    const std::string start = "{\"a\":{\"" + key + "\":";
    expect(start, "tensor \"a\": \"" + key + "\" must be an array of numbers", {object, string});
    const std::string rule =
        "tensor \"a\": each number of \"" + key + "\" must be whole and from 0 to 2^63 - 1";
    for (const auto& [value, shown] :
         {object, array, string, std::pair("-1", "-1"), std::pair("-0", "-0"), std::pair("null", "null"),
          std::pair("1.0", "the number \"1.0\""), std::pair("1e0", "the number \"1e0\""),
          std::pair("1e999", "the number \"1e999\""), std::pair("9223372036854775808", "9223372036854775808"),
          std::pair("18446744073709551617", "the number \"18446744073709551617\"")})
      expect_refused(start + "[1," + value, 0, rule + ", but is " + shown);
  }
}

TEST(SafetensorsHeader, ErrorsAreNoLongerThanALine) {
  const std::string huge(3'000'000, 'x');
  const std::string tensor = R"({"dtype":"F32","shape":[1],"data_offsets":[0,0]})";
  const std::string headers[] = {"{\"" + huge + "\":" + tensor + "}",
                                 "{\"" + huge + "\":1}",
                                 "{\"" + huge + "\xff\":1}",
                                 "\"" + huge,
                                 "\"" + huge + "\"",
                                 "{" + huge,
                                 std::string(3'000'000, '\x01'),
                                 "{\"" + std::string(3'000'000, '\x01'),
                                 R"({"a":{"dtype":")" + huge + "\"}}",
                                 R"({"a":{")" + huge + "\":1}}",
                                 R"({"__metadata__":{")" + huge + R"(":"",")" + huge + "\":\"\"}}",
                                 R"({"__metadata__":{")" + huge + R"(":1)",
                                 R"({"a":{"shape":[1,1,1,1,1,1,1,1,1)" + huge,
                                 R"({"a":{"data_offsets":[1,1,1)" + huge,
                                 R"({"a":{"shape":[)" + std::string(3'000'000, '1'),
                                 R"({"a":{"shape":[1.)" + std::string(3'000'000, '1') + "]"};
  for (const std::string& header : headers) {
    const std::string error = error_of<FileError>([&] { parse_safetensors_header(header, 0, "net"); });
    EXPECT_NE(error, "no error");
    EXPECT_LE(error.size(), 300u) << error;
  }
}

TEST(SafetensorsHeader, NoHeaderTakesMuchMemory) {
  if (support::kIsSanitized) GTEST_SKIP() << "the sanitizer's own memory would count";
  constexpr std::size_t kBytes = 90'000'000;
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
  };
  for (const auto& [first, filler] :
       {std::pair("[", '['), std::pair("{\"", 'x'), std::pair("{", '\n'), std::pair(R"({"a":)", '['),
        std::pair(R"({"a":{"shape":[)", '['), std::pair(R"({"a":{"shape":[)", '1'),
        std::pair(R"({"a":{"data_offsets":[)", '\t'), std::pair(R"({"a":{"more":)", '['),
        std::pair(R"({"__metadata__":)", '[')}) {
    EXPECT_EQ(in_child([&, start = first, filling = filler] {
                std::string header = start;
                header.resize(kBytes, filling);
                const std::size_t before = peak();
                const std::string error =
                    error_of<FileError>([&] { parse_safetensors_header(std::move(header), 0, "net"); });
                if (error == "no error") return 2;
                return peak() - before < 10 * kBytes ? kChildRight : 1;
              }),
              kRight)
        << first << filler;
  }
}

TEST(SafetensorsHeader, RefusesTensorsThatAreNotDescribed) {
  const std::string rule = "tensor \"a\" must have dtype, shape and data_offsets, it ";
  expect_refused(R"({"a":{}})", 0, rule + "lacks dtype");
  expect_refused(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, rule + "lacks shape");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4, rule + "lacks data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offset":[0,4]}})", 4, rule + "has \"data_offset\"");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":0}})", 4,
                 rule + "has \"more\"");
  expect_refused(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2,
                 "tensor \"a\" must be F32, F64, I64 or BOOL, it is \"F16\"");
}

TEST(SafetensorsHeader, RefusesSizesThatDoNotFit) {
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

TEST(SafetensorsHeader, RefusesHolesOverlapsAndTrailingBytes) {
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
}

/// Headers of the right words in a random order.
RC_GTEST_PROP(SafetensorsHeader, SurvivesRandomHeaders, ()) {
  const auto words = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "{", "}", "[", "]", ",", ":", "\"a\"", "\"dtype\"", "\"F32\"", "\"shape\"", "\"data_offsets\"", "0",
      "4", "-1", "18446744073709551615", "null", R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})"));
  std::string header = "{";
  for (const std::string& word : words) header += word;
  try {
    parse_safetensors_header(header + "}", 4, "net");
  } catch (const FileError&) {
  }
}

}  // namespace
}  // namespace adjoint

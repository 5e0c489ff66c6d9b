// What errors show of a file's or a user's text.

#include "layers/io/quote.h"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace adjoint {
namespace {

std::string shown(std::string_view text) { return fmt::format("{}", Quoted(text)); }

TEST(Quoted, ReadableTextIsShownAsItIs) {
  EXPECT_EQ(shown(""), R"("")");
  EXPECT_EQ(shown("conv1.weight"), R"("conv1.weight")");
  EXPECT_EQ(shown("größe ∂ 𝛼"), R"("größe ∂ 𝛼")");
  EXPECT_EQ(shown(R"(a "b" \c)"), R"("a \"b\" \\c")");
}

TEST(Quoted, OtherBytesAreNumbers) {
  using namespace std::string_view_literals;
  EXPECT_EQ(shown("a\0\n\x1b[31m\x7f"sv), R"("a\x00\x0a\x1b[31m\x7f")");
  EXPECT_EQ(shown("\xc2\x9b"), R"("\xc2\x9b")");  // the control character U+009B
  EXPECT_EQ(shown("\xff\xc3"), R"("\xff\xc3")");
  EXPECT_EQ(shown("\xc3\xa4\xa4"), "\"ä\\xa4\"");
}

TEST(Quoted, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(shown(std::string(60, 'x')), '"' + std::string(60, 'x') + '"');
  EXPECT_EQ(shown(std::string(61, 'x')), '"' + std::string(60, 'x') + "\"... (61 bytes)");
  EXPECT_EQ(shown(std::string(59, 'x') + "äx"), '"' + std::string(59, 'x') + "ä\"... (62 bytes)");
  EXPECT_LE(shown(std::string(1'000'000, '\0')).size(), 300u);
}

TEST(Quoted, Utf8AsTheStandardDefinesIt) {
  // The first and last characters of each length, then neighbors that are none: the Unicode standard, table
  // 3-7.
  for (const char* good : {"\x01", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(utf8_length(good), std::string_view(good).size());
  for (const char* bad : {"", "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0",
                          "\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                          "\xf1\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff"})
    EXPECT_EQ(utf8_length(bad), 0u) << shown(bad);
}

TEST(QuotedSizes, ManyAreCut) {
  std::vector<std::int64_t> sizes(8);
  std::iota(sizes.begin(), sizes.end(), 1);
  EXPECT_EQ(fmt::format("{}", QuotedSizes({})), "[]");
  EXPECT_EQ(fmt::format("{}", QuotedSizes(sizes)), "[1,2,3,4,5,6,7,8]");
  sizes.push_back(9);
  EXPECT_EQ(fmt::format("{}", QuotedSizes(sizes)), "[1,2,3,4,5,6,7,8]... (9 sizes)");
}

}  // namespace
}  // namespace adjoint

#include "common/printable.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(PrintableTest, TextOfTheTargetsCannotSteerATerminal) {
  EXPECT_EQ(Printable("plain, \xc3\xa4", 20), "plain, \xc3\xa4");
  EXPECT_EQ(Printable("\x1b[2J\n\x7f", 20), "?[2J??");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m \xc2\xa0",
                      20),
            "?31m \xc2\xa0");  // C1, and a space that is none
  EXPECT_EQ(Printable("abcdef", 4), "abcd...");
  EXPECT_EQ(Printable("abc\xe2\x82\xac"
                      "d",
                      4),
            "abc\xe2\x82\xac...");  // a character is not cut
}

TEST(PrintableTest, ACharacterIsTakenWhole) {
  EXPECT_EQ(CharacterAt("a|b", 1), "|");
  EXPECT_EQ(CharacterAt("a\xc3\xbc"
                        "b",
                        1),
            "\xc3\xbc");
  EXPECT_EQ(CharacterAt("\xf0\x9f\x98\x80", 0), "\xf0\x9f\x98\x80");
  for (const char* broken : {"\xc3", "\xc3x", "\xbb\xbb", "\xe2\x82", "\xf0\x9f\x98", "\xff\xff\xff\xff"})
    EXPECT_EQ(CharacterAt(broken, 0).size(), 1u) << broken;
}

TEST(PrintableTest, ACharacterHasANameAndAnEncoding) {
  EXPECT_EQ(NameOfCharacter("|"), "'|'");
  EXPECT_EQ(NameOfCharacter(" "), "a space");
  EXPECT_EQ(NameOfCharacter("\r"), "a carriage return");
  EXPECT_EQ(NameOfCharacter("\x07"), "the byte 0x07");
  EXPECT_EQ(NameOfCharacter("\xbb"), "the byte 0xbb");
  EXPECT_EQ(NameOfCharacter(absl::string_view("\0", 1)), "the byte 0x00");
  EXPECT_EQ(NameOfCharacter("\xc3\xbc"), "'\xc3\xbc'");
  EXPECT_EQ(NameOfCharacter("\xe2\x80\x8b"), "the invisible character %E2%80%8B");
  EXPECT_EQ(PercentEncoded("|"), "%7C");
  EXPECT_EQ(PercentEncoded("\xc3\xbc"), "%C3%BC");
}

}  // namespace
}  // namespace tidemark

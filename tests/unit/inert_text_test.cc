#include "common/inert_text.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

struct Row {
  const char* name;
  std::string in;
  std::string out;
};

TEST(InertTextTest, WhatActsOnATerminalOrIsNotSeenIsReplaced) {
  const Row kRows[] = {
      {"plain", "no such user", "no such user"},
      {"two, three and four bytes", "é € 😀", "é € 😀"},
      {"lines and tabs", "a\r\n\tb", "a   b"},
      {"escape", "\x1b[31mred", "?[31mred"},
      {"a zero byte", std::string("a\0b", 3), "a?b"},
      {"DEL", "a\x7f", "a?"},
      {"C1 as UTF-8",
       "a\xc2\x9b"
       "31m",
       "a?31m"},
      {"C1 as a byte",
       "a\x9b"
       "31m",
       "a?31m"},
      {"override of direction", "a\u202eb", "a?b"},
      {"isolate", "\u2066a\u2069", "?a?"},
      {"Arabic letter mark", "a\u061cb", "a?b"},
      {"zero width", "a\u200bb\u200dc\ufeffd\u2060", "a?b?c?d?"},
      {"soft hyphen", "a\u00adb", "a?b"},
      {"line separator", "a\u2028b", "a?b"},
      {"tags", "a\U000e0041b", "a?b"},
      {"variation selector", "a\ufe0f", "a?"},
      {"overlong", "\xc0\xaf", "??"},
      {"overlong of three", "\xe0\x80\xaf", "???"},
      {"surrogate", "\xed\xa0\x80", "???"},
      {"above the last", "\xf4\x90\x80\x80", "????"},
      {"cut off", "a\xe2\x82", "a??"},
      {"lone continuation",
       "\x80"
       "a",
       "?a"},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(InertText(row.in, 100), row.out) << row.name;
    EXPECT_EQ(IsInert(row.in), row.in == row.out) << row.name;
    EXPECT_TRUE(IsInert(row.out)) << row.name;
  }
}

TEST(InertTextTest, ItIsCutBetweenCharacters) {
  EXPECT_EQ(InertText("a€b", 5), "a€b");
  EXPECT_EQ(InertText("a€b", 4), "a€");
  EXPECT_EQ(InertText("a€b", 3), "a");
  EXPECT_EQ(InertText("a€b", 0), "");
}

TEST(InertTextTest, ACharacterIsTakenWhole) {
  EXPECT_EQ(CharacterAt("a|b", 1), "|");
  EXPECT_EQ(CharacterAt("a\xc3\xbc"
                        "b",
                        1),
            "\xc3\xbc");
  EXPECT_EQ(CharacterAt("\xf0\x9f\x98\x80", 0), "\xf0\x9f\x98\x80");
  for (const char* broken : {"\xc3", "\xc3x", "\xbb\xbb", "\xe2\x82", "\xf0\x9f\x98", "\xff\xff\xff\xff"})
    EXPECT_EQ(CharacterAt(broken, 0).size(), 1u) << broken;
}

TEST(InertTextTest, ACharacterHasANameAndAnEncoding) {
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

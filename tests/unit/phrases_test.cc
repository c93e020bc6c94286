#include "coordinator/report/phrases.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(PhrasesTest, TextOfTheTargetsCannotSteerATerminal) {
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

}  // namespace
}  // namespace tidemark

// In which form progress is shown, where.
#include "coordinator/observe/progress_form.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

Surroundings Ordinary() {
  return {.out_is_terminal = true, .err_is_terminal = true, .columns = 80, .rows = 24, .term = "xterm-256color"};
}

TEST(ProgressFormTest, ALiveViewIsForATerminalThatHasRoomForIt) {
  struct Case {
    const char* what;
    void (*make)(Surroundings*);
    ProgressForm form;
  };
  const Case kCases[] = {
      {"an ordinary terminal", [](Surroundings*) {}, ProgressForm::kLive},
      {"the smallest",
       [](Surroundings* s) {
         s->columns = 60;
         s->rows = 14;
       },
       ProgressForm::kLive},
      {"too narrow", [](Surroundings* s) { s->columns = 59; }, ProgressForm::kLine},
      {"too low", [](Surroundings* s) { s->rows = 13; }, ProgressForm::kLine},
      {"of unknown size", [](Surroundings* s) { s->columns = s->rows = 0; }, ProgressForm::kLine},
      {"output to a file", [](Surroundings* s) { s->out_is_terminal = false; }, ProgressForm::kPlain},
      {"errors to a file", [](Surroundings* s) { s->err_is_terminal = false; }, ProgressForm::kPlain},
      {"no TERM", [](Surroundings* s) { s->term = ""; }, ProgressForm::kPlain},
      {"a dumb one", [](Surroundings* s) { s->term = "dumb"; }, ProgressForm::kPlain},
      {"CI", [](Surroundings* s) { s->ci = "true"; }, ProgressForm::kPlain},
      {"in the background", [](Surroundings* s) { s->is_in_hand = false; }, ProgressForm::kPlain}};
  for (const Case& c : kCases) {
    Surroundings surroundings = Ordinary();
    c.make(&surroundings);
    const auto form = ProgressFormOf("auto", surroundings);
    ASSERT_TRUE(form.ok()) << c.what;
    EXPECT_EQ(*form, c.form) << c.what;
  }
}

TEST(ProgressFormTest, WhatIsAskedForIsHadOrRefused) {
  const Surroundings none;
  EXPECT_EQ(*ProgressFormOf("none", Ordinary()), ProgressForm::kNone);
  EXPECT_EQ(*ProgressFormOf("plain", Ordinary()), ProgressForm::kPlain);
  EXPECT_EQ(*ProgressFormOf("line", Ordinary()), ProgressForm::kLine);
  Surroundings small = Ordinary();
  small.columns = 20;
  small.ci = "1";
  EXPECT_EQ(*ProgressFormOf("live", small), ProgressForm::kLive);
  EXPECT_EQ(*ProgressFormOf("plain", none), ProgressForm::kPlain);
  for (const char* asked : {"live", "line", "fast", ""}) EXPECT_FALSE(ProgressFormOf(asked, none).ok()) << asked;
  EXPECT_EQ(ProgressFormOf("fast", none).status().message(), "--progress: 'fast' is none of auto|live|line|plain|none");
}

TEST(ProgressFormTest, Utf8IsTheLocales) {
  for (const char* locale : {"C.UTF-8", "en_US.utf8", "de_DE.UTF-8@euro"}) EXPECT_TRUE(IsUtf8({.locale = locale}));
  for (const char* locale : {"", "C", "POSIX", "de_DE.ISO-8859-1"}) EXPECT_FALSE(IsUtf8({.locale = locale}));
}

}  // namespace
}  // namespace tidemark

#include "common/plan/request_path.h"

#include <gtest/gtest.h>

#include <string>

#include "common/inert_text.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(RequestPathTest, WhatCanBeSentIsSentAsItIsWritten) {
  for (const char* path :
       {"/", "//", "/a/b;c=d/../e", "/?", "/?a=b&c=d", "/a?b?c/d", "/~u/@v/x:y,z'(1)*!$+=", "/%7c%7C%00", "/?ids[]=1",
        "/a[0]", "/{slot}", "/a{slot}b{slot}", "/?k={env:KEY}", "/?k={file:/run/key}", "/-._"})
    EXPECT_OK(CheckPath(path)) << path;
}

TEST(RequestPathTest, TheFirstCharacterThatNoPathHoldsIsNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "must start with /"},
      {"a", "must start with /"},
      {"*", "must start with /"},
      {"/#", "has '#', and so a fragment, which is never sent; leave it out, or write %23"},
      {"/%", "has '%' without two hexadecimal digits behind it; write %25"},
      {"/%4", "has '%' without"},
      {"/%g0", "has '%' without"},
      {"/{slot", "has '{'"},
      {"/{ slot}", "has '{', which no path holds; write %7B, or {slot}"},
      {"/{env:X", "has '{'"},
      {"/{file:x}", "has '{'"},
      {"/{{slot}}", "has '{'"},
      {"/{now:x}", "has {now:x}, which cannot be filled in"},
      {"/{pick:a,b c}", "has a space"},
      {"/}", "has '}', which no path holds; write %7D"},
      {"/\xf0\x9f\x98\x80", "write %F0%9F%98%80"},
      {"/\xbb", "has the byte 0xbb, which no path holds; write %BB"},
      {"/a\nb", "has a line feed, which no path holds; write %0A"},
      {"/a\x7f", "has the byte 0x7f"},
  };
  for (const auto& [path, reason] : kCases) EXPECT_THAT(CheckPath(path), FailsWith(reason)) << path;
  for (const char c : std::string(" \"<>\\^`{|}")) {
    EXPECT_THAT(CheckPath(std::string("/x") + c + "y|"), FailsWith("write " + PercentEncoded({&c, 1}))) << c;
  }
}

}  // namespace
}  // namespace tidemark

#include "common/control_address.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(ControlAddressTest, PortsAndBracketsAreOptional) {
  EXPECT_EQ(ParseControlAddress("10.0.0.5")->ToString(), "10.0.0.5:7420");
  EXPECT_EQ(ParseControlAddress("host:0")->port, 0);
  EXPECT_EQ(ParseControlAddress("[::1]:81")->host, "::1");
  EXPECT_EQ(ParseControlAddress("[::1]")->ToString(), "[::1]:7420");
}

TEST(ControlAddressTest, WhatCannotBeDialledIsRefused) {
  for (const char* text :
       {"", ":80", "a:b", "a:1:2", "::1", "[::1", "[::1]x", "a b", "http://h", "h:65536", "u@h", "[[]:5", "a,b"}) {
    EXPECT_THAT(ParseControlAddress(text), FailsWith("is no agent address")) << text;
  }
}

TEST(ControlAddressTest, LoopbackIsToldFromTheRest) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "10.0.0.1", "127.example.test", "::"}) EXPECT_FALSE(IsLoopback(host)) << host;
}

}  // namespace
}  // namespace tidemark

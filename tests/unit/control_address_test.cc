#include <gtest/gtest.h>

#include "common/control/address.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(ControlAddressTest, PortsAndBracketsAreOptional) {
  EXPECT_EQ(ParseControlAddress("10.0.0.5")->ToString(), "10.0.0.5:7420");
  EXPECT_EQ(ParseListenAddress("host:0")->port, 0);
  EXPECT_EQ(ParseListenAddress("host")->port, kDefaultAgentPort);
  EXPECT_EQ(ParseControlAddress("[::1]:81")->host, "::1");
  EXPECT_EQ(ParseControlAddress("[::1]")->ToString(), "[::1]:7420");
}

TEST(ControlAddressTest, WhatCannotBeDialledIsRefused) {
  for (const char* text : {"", ":80", "a:b", "a:1:2", "::1", "[::1", "[::1]x", "a b", "http://h", "h:65536", "u@h",
                           "[[]:5", "a,b", "h:", "h:+1", "h:01", "127.1", "127.1:7420", "[fe80::1%eth0]:1"}) {
    EXPECT_THAT(ParseControlAddress(text), FailsWith("is no agent address")) << text;
    EXPECT_THAT(ParseListenAddress(text), FailsWith("is no agent address")) << text;
  }
  EXPECT_THAT(ParseControlAddress("h:0"), FailsWith("has port '0'; write a number from 1 to 65535"));
}

TEST(ControlAddressTest, LoopbackIsToldFromTheRest) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "10.0.0.1", "127.example.test", "::"}) EXPECT_FALSE(IsLoopback(host)) << host;
}

}  // namespace
}  // namespace tidemark

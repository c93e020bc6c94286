#include "coordinator/cli/unused_proxy.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tidemark {
namespace {

std::string Remark(const char* target, const std::map<std::string, std::string>& environment, const char* proxy = "") {
  proto::Plan plan;
  plan.set_target(target);
  plan.set_proxy(proxy);
  return RemarkOnUnusedProxy(plan, [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(UnusedProxyTest, TheOneThatOthersWouldUseIsNamedWithoutItsValue) {
  const std::string url = "http://user:sesame@proxy.test:3128";
  for (const char* name : {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}) {
    EXPECT_EQ(
        Remark("http://api.test/", {{name, url}}),
        std::string(name) +
            " is set, and not used: the target is connected to directly; give --proxy http://HOST:PORT if a proxy "
            "is meant");
  }
  for (const char* name : {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"})
    EXPECT_NE(Remark("wss://api.test/", {{name, url}}), "") << name;
  EXPECT_EQ(Remark("https://api.test/", {{"HTTP_PROXY", url}}), "");
  EXPECT_EQ(Remark("http://api.test/", {{"HTTP_PROXY", ""}}), "");
  EXPECT_EQ(Remark("http://api.test/", {}), "");
  EXPECT_EQ(Remark("http://api.test/", {{"HTTP_PROXY", url}}, "http://h:1"), "");
  EXPECT_EQ(Remark("unix:/run/a.sock", {{"HTTP_PROXY", url}}), "");
}

TEST(UnusedProxyTest, WhatNoProxyListsIsNotMeant) {
  for (const char* entries : {"*", "api.test", "x, .test", "TEST", "localhost,api.test", "api.test:80", ".test:80"})
    EXPECT_EQ(Remark("http://api.test/", {{"HTTP_PROXY", "x"}, {"no_proxy", entries}}), "") << entries;
  for (const char* entries : {"", "pi.test", "api.test.other", "localhost", "api.test:81", "10.0.0.0/8"})
    EXPECT_NE(Remark("http://api.test/", {{"HTTP_PROXY", "x"}, {"no_proxy", entries}}), "") << entries;
}

TEST(UnusedProxyTest, NoProxyListsRangesOfAddresses) {
  const auto is_meant = [](const char* target, const char* entries) {
    return !Remark(target, {{"HTTP_PROXY", "x"}, {"no_proxy", entries}}).empty();
  };
  for (const char* entries : {"10.0.0.0/8", "10.1.2.0/23", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0", "10.1.2.3:8080"})
    EXPECT_FALSE(is_meant("http://10.1.2.3:8080/", entries)) << entries;
  for (const char* entries : {"11.0.0.0/8", "10.1.4.0/23", "10.1.2.3/33", "10.1.2.3/x", "fd00::/8", "10.1.2.3:80"})
    EXPECT_TRUE(is_meant("http://10.1.2.3:8080/", entries)) << entries;
  for (const char* entries : {"fd00::/8", "::/0", "fd00::1", "[fd00::1]", "[fd00::1]:80"})
    EXPECT_FALSE(is_meant("http://[fd00::1]/", entries)) << entries;
  for (const char* entries : {"fe00::/8", "10.0.0.0/8", "[fd00::1]:81"})
    EXPECT_TRUE(is_meant("http://[fd00::1]/", entries)) << entries;
}

}  // namespace
}  // namespace tidemark

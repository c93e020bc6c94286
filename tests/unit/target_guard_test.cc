#include "agent/target_guard.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "agent/resolver.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

SocketAddress Address(const char* text) { return *ParseAddress("test", text); }

TEST(TargetGuardTest, LoopbackAndPrivateRangesAreAllowedAndNothingElse) {
  const TargetGuard guard = *TargetGuard::Make({});
  for (const char* text : {"127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                           "::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"}) {
    EXPECT_OK(guard.Check("h", Address(text))) << text;
  }
  for (const char* text : {"8.8.8.8", "172.15.255.255", "172.32.0.0", "192.169.0.1", "169.254.169.254", "0.0.0.0",
                           "2001:db8::1", "fe80::1", "::ffff:8.8.8.8", "::"}) {
    EXPECT_THAT(guard.Check("h", Address(text)), FailsWith("--allow-target")) << text;
  }
}

TEST(TargetGuardTest, NamedRangesAndHostsAreAllowed) {
  const TargetGuard guard = *TargetGuard::Make({"203.0.113.0/25", "2001:db8::/33", "API.Example.test."});
  EXPECT_OK(guard.Check("x", Address("203.0.113.127")));
  EXPECT_FALSE(guard.Check("x", Address("203.0.113.128")).ok());
  EXPECT_OK(guard.Check("x", Address("2001:db8:7fff::1")));
  EXPECT_FALSE(guard.Check("x", Address("2001:db8:8000::1")).ok());
  EXPECT_OK(guard.Check("api.example.test", Address("8.8.8.8")));
  EXPECT_OK(guard.Check("api.example.TEST.", Address("8.8.8.8")));
  EXPECT_FALSE(guard.Check("evil.api.example.test", Address("8.8.8.8")).ok());
}

TEST(TargetGuardTest, EntriesThatAreNeitherAreRefused) {
  for (const char* text : {"10.0.0.0/33", "http://x/", "a b", "", "1.2.3.4/-1", "::1/129", "host:80"}) {
    EXPECT_THAT(TargetGuard::Make({text}), FailsWith("--allow-target")) << text;
  }
}

}  // namespace
}  // namespace tidemark

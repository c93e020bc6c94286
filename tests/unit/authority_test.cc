#include "common/plan/authority.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(AuthorityTest, HostAndPortAreThoseThatAreWritten) {
  struct Case {
    const char* text;
    const char* host;
    int port;  // -1: none
  };
  const Case kCases[] = {
      {"h", "h", -1},
      {"h:1", "h", 1},
      {"h:65535", "h", 65535},
      {"API.example.test.:443", "API.example.test.", 443},
      {"127.0.0.9.nip.test:8080", "127.0.0.9.nip.test", 8080},
      {"127.0.0.1:80", "127.0.0.1", 80},
      {"[::1]", "::1", -1},
      {"[0:0:0:0:0:0:0:1]:80", "0:0:0:0:0:0:0:1", 80},
      {"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80},
      {"my_service-1:80", "my_service-1", 80},
      {"-h-", "-h-", -1},
      {"1.2.3.4a", "1.2.3.4a", -1},  // names, to everyone
      {"0x7f.1.test", "0x7f.1.test", -1},
      {"xn--bcher-kva.test", "xn--bcher-kva.test", -1},
  };
  for (const Case& c : kCases) {
    const auto authority = ParseAuthority(c.text);
    ASSERT_OK(authority) << c.text;
    EXPECT_EQ(authority->host, c.host);
    EXPECT_EQ(authority->port ? *authority->port : -1, c.port) << c.text;
  }
  EXPECT_EQ(*ParseAuthority("h:0", 0)->port, 0);
}

TEST(AuthorityTest, WhatIsNotOfAnAuthorityIsRefusedWithItsRemedy) {
  const std::string long_label(64, 'a');
  const std::string long_name =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(63, 'd');
  const std::pair<std::string, const char*> kCases[] = {
      {"", "has no host; write HOST or HOST:PORT"},
      {":80", "has no host"},
      {".", "with nothing between two dots"},
      {"a..b", "with nothing between two dots"},
      {".a", "with nothing between two dots"},
      {"h..", "with nothing between two dots"},
      {long_label, "64 bytes; between two dots are 63 at most"},
      {long_name, "a host of 255 bytes; a name has 253 at most"},
      {"h:", "has ':' and no port behind it"},
      {"[::1]:", "has ':' and no port behind it"},
      {"h:abc", "has port 'abc'; write a number from 1 to 65535"},
      {"h:-1", "has port '-1'"},
      {"h:+80", "has port '+80'"},
      {"h: 80", "has port ' 80'"},
      {"h:8 0", "has port '8 0'"},
      {"h:0", "has port '0'; write a number from 1 to 65535"},
      {"h:65536", "has port '65536'"},
      {"h:99999999999999999999", "has port '99999999999999999999'"},
      {"h:0080", "has port '0080'; write 80 if it is meant"},
      {"h:80\\", "has port '80\\'"},
      {"h:0x50", "has port '0x50'"},
      {"h:80:90", "has more than one ':'"},
      {"::1", "is IPv6 without brackets; write [::1]"},
      {"[::1", "has '[' without ']'"},
      {"[::1]abc", "has 'abc' behind ']'; write [::1]:PORT"},
      {"[::1]:80:90", "has port '80:90'"},
      {"[[::1]]:80", "no IPv6 address"},
      {"[]:80", "no IPv6 address"},
      {"[127.0.0.1]", "no IPv6 address"},
      {"[v1.x]", "no IPv6 address"},
      {"[fe80::1%25eth0]:80", "has the zone of 'fe80::1%25eth0'"},
      {"[fe80::1%eth0]:80", "--resolve NAME:PORT:ADDRESS%ZONE"},
      {"a[::1]", "has more than one ':'"},
      {"a[b", "has '[' in its host"},
      {"127.1", "some programs read as 127.0.0.1; write that if it is meant"},
      {"0x7f.1", "some programs read as 127.0.0.1"},
      {"0X7F000001", "some programs read as 127.0.0.1"},
      {"2130706433:80", "some programs read as 127.0.0.1"},
      {"0177.0.0.1", "some programs read as 127.0.0.1"},
      {"127.0.0.1.", "some programs read as 127.0.0.1"},
      {"127.0.0.01", "some programs read as 127.0.0.1"},
      {"1.2.3.4.5", "ends in a number and is no IPv4 address"},
      {"256.1.1.1", "ends in a number and is no IPv4 address"},
      {"host.1", "ends in a number and is no IPv4 address"},
      {"09.1.1.1", "ends in a number and is no IPv4 address"},
      {"h.0x", "ends in a number and is no IPv4 address"},
      {"u@h", "has '@', and so a user name"},
      {"u:p@h:80", "has '@', and so a user name"},
      {"a@b@h", "has '@', and so a user name"},
      {"127.0.0.1;80", "has ';' in its host; a name has letters, digits"},
      {"%31", "has '%' in its host; write the character itself"},
      {"h\\x", "has '\\' in its host; write / for it, or leave it out"},
      {"b\xc3\xbc"
       "cher.test",
       "has '\xc3\xbc' in its host; write the name in its ASCII form"},
      {"\xef\xbc\x91.test", "in its host; write the name in its ASCII form"},  // a full-width 1
      {"h\xbb", "has the byte 0xbb in its host"},
      {" h", "has a space in its host"},
      {"h\t", "has a tab in its host"},
      {"h\r\n", "has a carriage return in its host"},
      {std::string("h\0.test", 7), "has the byte 0x00 in its host"},
      {std::string("[::1\0]", 6), "no IPv6 address"},
      {"h/x", "has '/' in its host"},
      {"h?x", "has '?' in its host"},
      {"h#x", "has '#' in its host"},
  };
  for (const auto& [text, reason] : kCases) {
    const absl::Status status = ParseAuthority(text).status();
    EXPECT_THAT(status, FailsWith(reason)) << text;
    EXPECT_EQ(status.message().find_first_of(absl::string_view("\r\n\0", 3)), absl::string_view::npos) << status;
  }
}

TEST(AuthorityTest, AHostAloneMayBeIpv6WithoutBrackets) {
  EXPECT_EQ(*ParseHost("::1"), "::1");
  EXPECT_EQ(*ParseHost("[::1]"), "::1");
  EXPECT_EQ(*ParseHost("a.test."), "a.test.");
  EXPECT_THAT(ParseHost("h:80"), FailsWith("has a port; write the host alone"));
  EXPECT_THAT(ParseHost("[::1]:80"), FailsWith("has a port"));
  EXPECT_THAT(ParseHost("127.1"), FailsWith("127.0.0.1"));
  EXPECT_THAT(ParseHost(absl::string_view("::1\0", 4)), FailsWith("has more than one ':'"));
}

TEST(AuthorityTest, ATrailingDotIsForTheResolverAlone) {
  EXPECT_EQ(ServerName("api.test."), "api.test");
  EXPECT_EQ(ServerName("api.test"), "api.test");
  EXPECT_EQ(ServerName("127.0.0.1"), "");
  EXPECT_EQ(ServerName("::1"), "");
  EXPECT_TRUE(IsSameHost("API.test.", "api.test"));
  EXPECT_TRUE(IsSameHost("::1", "0:0::1"));
  EXPECT_FALSE(IsSameHost("::1", "::2"));
  EXPECT_FALSE(IsSameHost("a.test", "b.test"));
  EXPECT_EQ(JoinHostPort("::1", 80), "[::1]:80");
  EXPECT_EQ(JoinHostPort("h", 80), "h:80");
}

}  // namespace
}  // namespace tidemark

#include "agent/guard/target_guard.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/guard/guarded_file.h"
#include "agent/net/resolver.h"
#include "common/plan/yaml_message.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

SocketAddress Address(const char* text) { return *ParseAddress("test", text); }

TEST(TargetGuardTest, LoopbackAndPrivateRangesAreAllowedAndNothingElse) {
  const TargetGuard guard = *TargetGuard::Make({});
  for (const char* text : {"127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                           "::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"}) {
    EXPECT_OK(guard.Check("h", Address(text), false)) << text;
  }
  for (const char* text : {"8.8.8.8", "172.15.255.255", "172.32.0.0", "192.169.0.1", "169.254.169.254", "0.0.0.0",
                           "2001:db8::1", "fe80::1", "::ffff:8.8.8.8", "::"}) {
    EXPECT_THAT(guard.Check("h", Address(text), false), FailsWith("--allow-target")) << text;
  }
}

TEST(TargetGuardTest, NamedRangesAndHostsAreAllowed) {
  const TargetGuard guard = *TargetGuard::Make({"203.0.113.0/25", "2001:db8::/33", "API.Example.test."});
  EXPECT_OK(guard.Check("x", Address("203.0.113.127"), false));
  EXPECT_FALSE(guard.Check("x", Address("203.0.113.128"), false).ok());
  EXPECT_OK(guard.Check("x", Address("2001:db8:7fff::1"), false));
  EXPECT_FALSE(guard.Check("x", Address("2001:db8:8000::1"), false).ok());
  EXPECT_OK(guard.Check("api.example.test", Address("8.8.8.8"), false));
  EXPECT_OK(guard.Check("api.example.TEST.", Address("8.8.8.8"), false));
  EXPECT_FALSE(guard.Check("evil.api.example.test", Address("8.8.8.8"), false).ok());
  EXPECT_OK(TargetGuard::Make({"[2001:db8::1]"})->Check("x", Address("2001:db8::1"), false));
}

TEST(TargetGuardTest, WhatFollowsANulIsPartOfAnAddress) {
  EXPECT_FALSE(TargetGuard::Make({std::string("203.0.113.1\0x", 13)}).ok());
  EXPECT_THAT(ParseAddress("test", std::string("127.0.0.1\0x", 11)), FailsWith("is no IP address"));
}

TEST(TargetGuardTest, AnAddressThatTheCoordinatorGaveIsNotCoveredByAName) {
  const TargetGuard guard = *TargetGuard::Make({"api.example.test"});
  EXPECT_THAT(guard.Check("api.example.test", Address("8.8.8.8"), true), FailsWith("outside loopback"));
  EXPECT_OK(guard.Check("api.example.test", Address("127.0.0.1"), true));
}

// An allow-list has no zones: what is advised must be what it takes.
TEST(TargetGuardTest, TheRemedyForAnAddressWithAZoneIsOneThatIsTaken) {
  const TargetGuard guard = *TargetGuard::Make({});
  const absl::Status refused = guard.Check("fe80::1%lo", Address("fe80::1"), false).status();
  EXPECT_TRUE(absl::EndsWith(refused.message(), "--allow-target fe80::1")) << refused;
  EXPECT_OK(TargetGuard::Make({"fe80::1"})->Check("fe80::1%lo", Address("fe80::1"), false));
}

proto::AllowList List(const std::string& yaml) {
  proto::AllowList list;
  EXPECT_OK(ParseYaml(yaml, "list", "allow-list", &list));
  return list;
}

// What is written holds: a ceiling of 0 would allow nothing, and one that is left out is none.
TEST(TargetGuardTest, ACeilingOfZeroIsRefusedAndOneThatIsLeftOutIsNone) {
  for (const std::string name : {"max_rate", "max_connections", "max_connect_rate"}) {
    for (const std::string who : {"host: api.example.test", "cidr: 10.0.0.0/8", "unix: /run/api.sock"}) {
      const auto guard = TargetGuard::Make({}, List("targets:\n- {" + who + ", " + name + ": 0}\n"));
      EXPECT_THAT(guard,
                  FailsWith("--allow-list: '" + who.substr(6) + "': " + name +
                            ": 0 would allow nothing; give a ceiling above 0, or leave " + name + " out for none"));
    }
  }
  const TargetGuard guard = *TargetGuard::Make({}, List("targets:\n- {cidr: 10.0.0.0/8}\n"));
  const auto ceiling = guard.Check("x", Address("10.0.0.1"), false);
  ASSERT_OK(ceiling);
  EXPECT_EQ(ceiling->max_rate, 0);
  EXPECT_EQ(ceiling->max_connections, 0);
  EXPECT_EQ(ceiling->max_connect_rate, 0);
}

TEST(TargetGuardTest, AnEmptyListIsRefused) {
  for (const auto& [yaml, where] :
       {std::pair{"targets:\n- {host: api.example.test, ports: []}", "list:2: targets.ports: is an empty list"},
        {"targets: []", "list:1: targets: is an empty list"},
        {"secrets: []", "list:1: secrets: is an empty list"}}) {
    proto::AllowList list;
    EXPECT_THAT(ParseYaml(yaml, "list", "allow-list", &list), FailsWith(where));
  }
}

SocketAddress AddressAt(const char* text, std::uint16_t port) {
  SocketAddress address = Address(text);
  reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  return address;
}

TEST(TargetGuardTest, TheFirstEntryThatMatchesGivesTheCeilings) {
  const TargetGuard guard = *TargetGuard::Make(
      {}, List("targets:\n- {host: api.example.test, ports: [443, 8443], max_rate: 5k, max_connections: 100, "
               "max_connect_rate: 50}\n"
               "- {cidr: 203.0.113.0/24, max_rate: 30/m}\n- {cidr: 10.0.0.0/8, max_connections: 3}\n"));
  const auto named = guard.Check("api.example.test", AddressAt("203.0.113.1", 8443), false);
  ASSERT_OK(named);
  EXPECT_EQ(named->max_rate, 5'000);
  EXPECT_EQ(named->max_connections, 100);
  EXPECT_EQ(named->max_connect_rate, 50);
  // Another port of the name is still an address of the second entry.
  EXPECT_EQ(guard.Check("api.example.test", AddressAt("203.0.113.1", 80), false)->max_rate, 0.5);
  EXPECT_THAT(guard.Check("api.example.test", AddressAt("198.51.100.1", 80), false), FailsWith("other ports"));
  EXPECT_EQ(guard.Check("x", AddressAt("10.1.1.1", 1), false)->max_connections, 3);
  EXPECT_EQ(guard.Check("x", AddressAt("127.0.0.1", 1), false)->max_connections, 0);
}

TEST(TargetGuardTest, OfTwoCeilingsTheLowerHoldsOfEachFigure) {
  TargetGuard::Ceiling ceiling{.max_rate = 5, .max_connections = 0, .max_connect_rate = 3};
  ceiling.Lower({.max_rate = 0, .max_connections = 7, .max_connect_rate = 2});
  EXPECT_EQ(ceiling.max_rate, 5);
  EXPECT_EQ(ceiling.max_connections, 7);
  EXPECT_EQ(ceiling.max_connect_rate, 2);
}

TEST(TargetGuardTest, OnlyTheseMeansNotEvenLoopback) {
  const TargetGuard guard = *TargetGuard::Make({}, List("only_these: true\ntargets: [{cidr: 10.0.0.0/24}]\n"));
  EXPECT_OK(guard.Check("x", Address("10.0.0.9"), false));
  EXPECT_THAT(guard.Check("x", Address("127.0.0.1"), false), FailsWith("only_these"));
  EXPECT_THAT(guard.Check("x", Address("10.0.1.1"), false), FailsWith("only_these"));
}

TEST(TargetGuardTest, ProductionOfAnExchangeNeedsItsNameAndAPermission) {
  for (const char* host : {"api.binance.com", "API.BINANCE.COM.", "stream.bybit.com", "www.okx.com", "ws.kraken.com",
                           "beta-ws.kraken.com", "www.deribit.com", "api.exchange.coinbase.com", "a.b.binance.us"})
    EXPECT_TRUE(IsExchangeProduction(host)) << host;
  for (const char* host : {"testnet.binance.vision", "stream.testnet.binance.vision", "test.deribit.com",
                           "api-testnet.bybit.com", "notbinance.com", "binance.com.evil.test", "localhost"})
    EXPECT_FALSE(IsExchangeProduction(host)) << host;
  // Neither a name alone, nor its address range, nor --allow-target will do.
  const TargetGuard without =
      *TargetGuard::Make({"api.binance.com"}, List("targets: [{host: api.binance.com}, {cidr: 0.0.0.0/0}]\n"));
  EXPECT_THAT(without.Check("api.binance.com", Address("8.8.8.8"), false), FailsWith("production of an exchange"));
  EXPECT_THAT(without.Check("api.binance.com.", Address("8.8.8.8"), false), FailsWith("production of an exchange"));
  // A copy of it inside is no production.
  EXPECT_OK(without.Check("api.binance.com", Address("10.0.0.1"), true));
  const TargetGuard with = *TargetGuard::Make(
      {},
      List("targets: [{host: api.binance.com, production: true, permission: 'mail of 2026-11-02', max_rate: 10}]\n"));
  const auto allowed = with.Check("api.binance.com", Address("8.8.8.8"), false);
  ASSERT_OK(allowed);
  EXPECT_EQ(allowed->permission, "mail of 2026-11-02");
  EXPECT_FALSE(with.Check("api.binance.com", Address("8.8.8.8"), true).ok());
  EXPECT_THAT(TargetGuard::Make({}, List("targets: [{host: api.binance.com, production: true, permission: ' '}]\n")),
              FailsWith("and a permission"));
  EXPECT_THAT(TargetGuard::Make({}, List("targets: [{host: api.binance.com, production: true}]\n")),
              FailsWith("permission"));
  EXPECT_THAT(TargetGuard::Make({}, List("targets: [{cidr: 1.0.0.0/8, production: true, permission: x}]\n")),
              FailsWith("needs a host"));
}

TEST(TargetGuardTest, SecretsAreThoseOfTheList) {
  const TempDir dir;
  Spill(dir / "key", "sesame");
  Spill(dir / "other", "no");
  setenv("TIDEMARK_TEST_KEY", "open", 1);
  const TargetGuard guard =
      *TargetGuard::Make({}, List("secrets: ['env:TIDEMARK_TEST_KEY', 'file:" + (dir / "key") + "']\n"));
  EXPECT_EQ(*guard.ReadSecret("env:TIDEMARK_TEST_KEY", 100), "open");
  EXPECT_EQ(*guard.ReadSecret("file:" + (dir / "key"), 100), "sesame");
  for (const std::string& reference :
       {std::string("file:/etc/shadow"), std::string("env:TIDEMARK_TEST_KEY2"), std::string("env:HOME"),
        "file:" + (dir / "other"), std::string("file:/no/such")})
    EXPECT_TRUE(absl::IsPermissionDenied(guard.ReadSecret(reference, 100).status())) << reference;
  for (const char* nothing : {"API_KEY", "'env:'", "'file:'", "''"})
    EXPECT_THAT(TargetGuard::Make({}, List(absl::StrCat("secrets: [", nothing, "]\n"))), FailsWith("neither env:NAME"));
}

// What is refused is refused in the same words, whether it is there or not.
TEST(TargetGuardTest, AFolderGivesWhatLiesInItAndNothingThatALinkLeadsTo) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "open/sub");
  Spill(dir / "open/sub/ca.pem", "ca");
  Spill(dir / "outside", "no");
  std::filesystem::create_symlink(dir / "outside", dir / "open/escape");
  std::filesystem::create_symlink(dir / "", dir / "open/up");
  std::filesystem::create_symlink(dir / "nowhere", dir / "open/dangling");
  std::filesystem::create_symlink(dir / "open/sub/ca.pem", dir / "open/inside");
  std::filesystem::create_symlink(dir / "open", dir / "alias");
  ASSERT_EQ(mkfifo((dir / "open/fifo").c_str(), 0600), 0);
  Spill(dir / "open/large", std::string(1'001, 'x'));
  const TargetGuard guard = *TargetGuard::Make({}, List("secrets: ['file:" + (dir / "open/") + "']\n"));
  for (const char* path : {"open/sub/ca.pem", "open/inside", "alias/sub/ca.pem", "open/sub/../sub/ca.pem"})
    EXPECT_EQ(*guard.ReadFile(dir / path, 1'000), "ca") << path;
  for (const char* path : {"open/escape", "open/up/outside", "open/up/none", "open/../outside", "open/../none",
                           "outside", "none", "open/dangling", "open/dangling/x", "openly"}) {
    const absl::Status status = guard.ReadFile(dir / path, 1'000).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << path << ": " << status;
    EXPECT_EQ(status.message(), "") << path;
  }
  EXPECT_THAT(guard.ReadFile(dir / "open/none", 1'000), FailsWith("cannot be read: No such file"));
  EXPECT_THAT(guard.ReadFile(dir / "open/fifo", 1'000), FailsWith("is no regular file"));
  EXPECT_THAT(guard.ReadFile(dir / "open/sub", 1'000), FailsWith("is no regular file"));
  EXPECT_THAT(guard.ReadFile(dir / "open/large", 1'000), FailsWith("is larger than"));
  TargetGuard users = *TargetGuard::Make({});
  EXPECT_TRUE(absl::IsPermissionDenied(users.ReadFile(dir / "outside", 1'000).status()));
  users.AllowWhatTheUserMay();
  EXPECT_EQ(*users.ReadFile(dir / "outside", 1'000), "no");
  EXPECT_THAT(users.ReadFile(dir / "open/fifo", 1'000), FailsWith("is no regular file"));
  EXPECT_THAT(users.ReadFile("/dev/zero", 1'000), FailsWith("is no regular file"));
}

TEST(TargetGuardTest, AUnixSocketNeedsAnEntry) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "run");
  Spill(dir / "run/api.sock", "");
  Spill(dir / "run/other.sock", "");
  std::filesystem::create_symlink(dir / "run", dir / "var");
  std::filesystem::create_symlink(dir / "run/other.sock", dir / "run/alias.sock");
  EXPECT_THAT(TargetGuard::Make({})->CheckUnix(dir / "run/api.sock"), FailsWith("is not named"));
  EXPECT_THAT(TargetGuard::Make({})->CheckUnix("@api"), FailsWith("unix: @NAME"));
  const TargetGuard guard = *TargetGuard::Make({}, List("targets:\n- {unix: " + (dir / "run/api.sock") +
                                                        ", max_rate: 7}\n- {unix: '@api', max_connections: 3}\n"));
  for (const char* path : {"run/api.sock", "var/api.sock", "run/../var/api.sock"}) {
    const auto allowed = guard.CheckUnix(dir / path);
    ASSERT_OK(allowed);
    EXPECT_EQ(allowed->path, RealPath(dir / "run/api.sock"));
    EXPECT_EQ(allowed->ceiling.max_rate, 7);
  }
  EXPECT_EQ(guard.CheckUnix("@api")->ceiling.max_connections, 3);
  EXPECT_EQ(guard.CheckUnix("@api")->path, "@api");
  for (const std::string& path : {dir / "run/other.sock", dir / "run/alias.sock", dir / "run/none.sock",
                                  std::string("@api2"), std::string("@"), std::string("@api\0", 5)}) {
    EXPECT_TRUE(absl::IsPermissionDenied(guard.CheckUnix(path).status())) << path;
    EXPECT_TRUE(absl::IsPermissionDenied(guard.Check("", SocketAddress::OfUnix(path), false).status())) << path;
  }
  TargetGuard users = *TargetGuard::Make({});
  users.AllowWhatTheUserMay();
  EXPECT_OK(users.CheckUnix(dir / "run/other.sock"));
  for (const char* yaml : {"targets: [{unix: api.sock}]", "targets: [{unix: '@'}]", "targets: [{unix: /a, host: b}]",
                           "targets: [{unix: /a, ports: [1]}]"})
    EXPECT_THAT(TargetGuard::Make({}, List(yaml)), FailsWith("--allow-list")) << yaml;
}

TEST(TargetGuardTest, ARangeSaysWhatItIsAndAListAllowsSomething) {
  const std::pair<const char*, const char*> kCases[] = {
      {"10.0.0.5/8", "write 10.0.0.0/8"},
      {"192.0.2.129/25", "write 192.0.2.128/25"},
      {"2001:db8::1/32", "write 2001:db8::/32"},
  };
  for (const auto& [range, remedy] : kCases) {
    EXPECT_THAT(TargetGuard::Make({}, List(std::string("targets: [{cidr: '") + range + "'}]")), FailsWith(remedy));
    EXPECT_THAT(TargetGuard::Make({range}), FailsWith(remedy));
  }
  for (const char* range : {"10.0.0.0/8", "10.0.0.5", "10.0.0.5/32", "2001:db8::/32", "::1", "0.0.0.0/0"})
    EXPECT_OK(TargetGuard::Make({range}).status()) << range;
  EXPECT_THAT(TargetGuard::Make({}, List("only_these: true")), FailsWith("only_these without targets"));
  EXPECT_OK(TargetGuard::Make({"10.0.0.0/8"}, List("only_these: true")).status());
}

TEST(TargetGuardTest, EntriesThatAreNeitherAreRefused) {
  for (const char* yaml : {"targets: [{}]", "targets: [{host: a, cidr: 10.0.0.0/8}]", "targets: [{cidr: nonsense}]",
                           "targets: [{host: a, ports: [0]}]", "targets: [{host: a, ports: [70000]}]",
                           "targets: [{host: a, max_connect_rate: 200M}]"}) {
    EXPECT_THAT(TargetGuard::Make({}, List(yaml)), FailsWith("--allow-list")) << yaml;
  }
  for (const char* text : {"10.0.0.0/33",
                           "http://x/",
                           "a b",
                           "",
                           "1.2.3.4/-1",
                           "::1/129",
                           "host:80",
                           "10.0.0.0/+8",
                           "10.0.0.0/ 8",
                           "10.0.0.0/",
                           "127.1",
                           "0x7f.1",
                           "10.0.0.1.",
                           "u@host",
                           "a,b",
                           "a..b",
                           "b\xc3\xbc"
                           "cher.test",
                           "%31.test",
                           "[::1",
                           "fe80::1%lo"}) {
    EXPECT_THAT(TargetGuard::Make({text}), FailsWith("--allow-target")) << text;
  }
}

}  // namespace
}  // namespace tidemark

// Which addresses are connected to, and which are not: connect_to, ip_family, zones, abstract Unix sockets.
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/net/resolver.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers on one connection until the client is gone; returns the first request's header.
std::string Serve(int fd) {
  const std::string first = ReadHeader(fd);
  for (bool has_come = !first.empty(); has_come; has_come = ReadRequest(fd)) SendAll(fd, kAnswer);
  return first;
}

absl::Status OpenOnly(const proto::Plan& plan, const TargetGuard& guard = *TargetGuard::Make({})) {
  proto::Open open;
  *open.mutable_plan() = plan;
  return Session::Open(open, guard, 1, [](const proto::Event&) {}).status();
}

// The header of the first request that came, kept for the test's thread.
class FirstHeader {
 public:
  void Keep(const std::string& header) {
    MutexLock lock(&mutex_);
    if (header_.empty()) header_ = header;
  }
  std::string Get() {
    MutexLock lock(&mutex_);
    return header_;
  }

 private:
  Mutex mutex_;
  std::string header_ ABSL_GUARDED_BY(mutex_);
};

TEST(WhereItGoesTest, ConnectToLeadsElsewhereAndWhatIsSentStaysTheSame) {
  FirstHeader header;
  RawServer server([&](int fd) { header.Keep(Serve(fd)); });
  const std::string other = absl::StrCat("127.0.0.1:", server.port());
  for (const std::string& entry : {"api.test:8123:" + other, ":8123:" + other, "API.test.::" + other, "::" + other,
                                   "api.test:8123:localhost:" + std::to_string(server.port())}) {
    proto::Plan plan = PlanFor("http://api.test:8123/x", 2, 3);
    plan.add_connect_to(entry);
    PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.counters.success, 6u) << entry;
  }
  EXPECT_TRUE(absl::StrContains(header.Get(), "GET /x HTTP/1.1\r\nHost: api.test:8123\r\n")) << header.Get();
}

TEST(WhereItGoesTest, WhereConnectToLeadsAnOverrideCounts) {
  RawServer server([](int fd) { Serve(fd); });
  proto::Plan plan = PlanFor("http://api.test:8123/", 1, 2);
  plan.add_connect_to("api.test:8123:other.test:" + std::to_string(server.port()));
  plan.add_resolve(absl::StrCat("other.test:", server.port(), ":127.0.0.1"));
  EXPECT_EQ(RunOnePoint(plan).counters.success, 2u);
}

TEST(WhereItGoesTest, TheNameThatTlsAsksForStaysTheTargets) {
  const ServerTls tls;
  std::string asked;
  Mutex mutex;
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
      const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
      MutexLock lock(&mutex);
      asked = name == nullptr ? "" : name;
    }
    char some[4096];
    while (SSL_read(ssl, some, sizeof some) > 0) SSL_write(ssl, kAnswer.data(), static_cast<int>(kAnswer.size()));
    SSL_free(ssl);
  });
  proto::Plan plan = PlanFor("https://api.test/", 1, 1);
  plan.mutable_tls()->set_insecure(true);
  plan.add_connect_to(absl::StrCat("api.test:443:127.0.0.1:", server.port()));
  EXPECT_EQ(RunOnePoint(plan).counters.success, 1u);
  MutexLock lock(&mutex);
  EXPECT_EQ(asked, "api.test");
}

TEST(WhereItGoesTest, TheGuardJudgesTheRealAddress) {
  proto::Plan plan = PlanFor("http://127.0.0.1:80/", 1, 1);
  plan.add_connect_to("127.0.0.1:80:203.0.113.9:80");
  EXPECT_THAT(OpenOnly(plan), FailsWith("target refused: 203.0.113.9 is 203.0.113.9:80"));
  // The name on the list is not where it goes.
  plan = PlanFor("http://allowed.test:80/", 1, 1);
  plan.add_connect_to("allowed.test:80:203.0.113.9:80");
  EXPECT_THAT(OpenOnly(plan, *TargetGuard::Make({"allowed.test"})), FailsWith("target refused: 203.0.113.9"));
  // An exchange's production may be hidden behind another's address.
  plan = PlanFor("https://api.binance.com/", 1, 1);
  plan.add_connect_to("api.binance.com:443:203.0.113.9:443");
  EXPECT_THAT(OpenOnly(plan, *TargetGuard::Make({"203.0.113.0/24"})),
              FailsWith("target refused: api.binance.com, sent to 203.0.113.9:443, is production"));
}

TEST(WhereItGoesTest, OnlyTheFamilyThatIsAskedForIsUsed) {
  RawServer server([](int fd) { Serve(fd); });
  const std::string port = std::to_string(server.port());
  proto::Plan plan = PlanFor("http://both.test:" + port + "/", 4, 2);
  plan.add_resolve("both.test:" + port + ":127.0.0.1");
  plan.add_resolve("both.test:" + port + ":fd00:1::9");  // where nobody answers
  plan.set_ip_family("4");
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 8u);
  EXPECT_EQ(run.warmup[ConnectResult::kEstablished], 4u);

  plan = PlanFor("http://127.0.0.1:" + port + "/", 1, 1);
  plan.set_ip_family("6");
  const absl::Status status = OpenOnly(plan);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;  // exit code 5
  EXPECT_EQ(status.message(),
            "host '127.0.0.1' has no IPv6 address, only 127.0.0.1:" + port + "; leave out ip_family (-6)");
}

// A link-local address of this machine with its zone; empty if it has none.
std::string LinkLocal() {
  std::string found;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET6) continue;
    const auto* const in = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    char text[INET6_ADDRSTRLEN];
    if (!IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) continue;
    inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
    found = absl::StrCat(text, "%", entry->ifa_name);
  }
  freeifaddrs(list);
  return found;
}

TEST(WhereItGoesTest, AZoneSaysWhichNetworkALinkLocalAddressIsOf) {
  SocketAddress numbered = *ParseAddress("test", "fe80::1%1");
  numbered.set_port(80);
  char name[IF_NAMESIZE];
  ASSERT_NE(if_indextoname(1, name), nullptr);
  EXPECT_EQ(numbered.ToString(), absl::StrCat("[fe80::1%", name, "]:80"));
  EXPECT_THAT(ParseAddress("resolve", "fe80::1%nosuchif"), FailsWith("has a zone that this agent's machine has not"));

  const std::string address = LinkLocal();
  if (address.empty()) GTEST_SKIP() << "this machine has no link-local address";
  SocketAddress bound = *ParseAddress("test", address);
  const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = bound.length;
  ASSERT_EQ(bind(listener, bound.get(), bound.length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&bound.storage), &length), 0);
  const int port = ntohs(reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port);
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {
      const int fd = accept(listener, nullptr, nullptr);
      Serve(fd);
      close(fd);
    }
  });
  const TargetGuard guard = *TargetGuard::Make({"fe80::/10"});
  proto::Plan plan = PlanFor("http://near.test:80/", 1, 2);
  plan.add_connect_to(absl::StrCat("near.test:80:[", address, "]:", port));
  EXPECT_EQ(RunOnePoint(plan, guard).counters.success, 2u);
  plan = PlanFor(absl::StrCat("http://near.test:", port, "/"), 1, 2);
  plan.add_resolve(absl::StrCat("near.test:", port, ":[", address, "]"));
  EXPECT_EQ(RunOnePoint(plan, guard).counters.success, 2u);
  EXPECT_THAT(OpenOnly(plan), FailsWith("target refused: near.test is [" + address + "]:" + std::to_string(port)));
  server.join();
  close(listener);
}

TEST(WhereItGoesTest, AnAbstractUnixSocketHasNoFile) {
  const std::string name = absl::StrCat("@tidemark-test-", getpid());
  const SocketAddress address = SocketAddress::OfUnix(name);
  EXPECT_EQ(address.ToString(), name);
  EXPECT_EQ(address.length, offsetof(sockaddr_un, sun_path) + name.size());
  EXPECT_EQ(SocketAddress::OfUnix("/run/a").length, offsetof(sockaddr_un, sun_path) + 7);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, address.get(), address.length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  std::thread server([&] {
    while (!is_over) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd < 0) continue;
      threads.emplace_back([fd] {
        Serve(fd);
        close(fd);
      });
    }
  });
  PointRun run = RunOnePoint(PlanFor("unix:" + name + ":/x", 3, 4), OwnGuard());
  EXPECT_EQ(run.counters.success, 12u);
  is_over = true;
  shutdown(listener, SHUT_RDWR);
  server.join();
  for (std::thread& thread : threads) thread.join();
  close(listener);
}

}  // namespace
}  // namespace tidemark

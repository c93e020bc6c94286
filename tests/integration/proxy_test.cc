// Targets that are reached through an HTTP proxy: in absolute form, or through a tunnel.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan/durations.h"
#include "tests/support/raw_proxy.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_frames.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

void ServePlain(int fd) {
  while (ReadRequest(fd)) SendAll(fd, kAnswer);
}

void ServeTls(const ServerTls& tls, int fd) {
  SSL* const ssl = SSL_new(tls.context.get());
  SSL_set_fd(ssl, fd);
  char some[4096];
  if (SSL_accept(ssl) == 1) {
    while (SSL_read(ssl, some, sizeof some) > 0) SSL_write(ssl, kAnswer.data(), static_cast<int>(kAnswer.size()));
  }
  SSL_free(ssl);
}

void ServeSecureWebSocket(const ServerTls& tls, int fd) {
  SSL* const ssl = SSL_new(tls.context.get());
  SSL_set_fd(ssl, fd);
  char some[4096];
  const int size = SSL_accept(ssl) == 1 ? SSL_read(ssl, some, sizeof some) : 0;
  const std::string grant = size <= 0 ? "" : GrantOf(std::string(some, static_cast<std::size_t>(size)));
  if (!grant.empty()) {
    SSL_write(ssl, grant.data(), static_cast<int>(grant.size()));
    const std::string reply = ServerFrame(1, "reply");
    // A message of the client's is its five bytes, masked; what else comes is its close.
    while (SSL_read(ssl, some, sizeof some) == 11) SSL_write(ssl, reply.data(), static_cast<int>(reply.size()));
  }
  SSL_free(ssl);
}

void ServeWebSocket(int fd) {
  if (!GrantUpgrade(fd)) return;
  while (ReadFrame(fd).opcode == 1) SendAll(fd, ServerFrame(1, "reply"));
}

// A guard that knows the name, which nobody here can look up.
TargetGuard Knowing(const std::string& host) { return *TargetGuard::Make({host}); }

proto::Plan PlanThrough(const std::string& proxy, const std::string& url, std::int64_t connections, std::int64_t each) {
  proto::Plan plan = PlanFor(url, connections, each);
  plan.set_proxy(proxy);
  if (absl::StartsWith(url, "https") || absl::StartsWith(url, "wss")) plan.mutable_tls()->set_insecure(true);
  if (absl::StartsWith(url, "ws")) plan.mutable_requests(0)->set_body("hello");
  *plan.mutable_timeout() = ToDurationProto(10 * kSecond);
  *plan.mutable_connect_timeout() = ToDurationProto(10 * kSecond);
  return plan;
}

absl::Status OpenOnly(const proto::Plan& plan, const TargetGuard& guard) {
  proto::Open open;
  *open.mutable_plan() = plan;
  return Session::Open(open, guard, 1, [](const proto::Event&) {}).status();
}

std::string Errors(const PointRun& run) {
  std::string all;
  for (const proto::ConnectError& error : run.ready.errors()) absl::StrAppend(&all, error.text(), "\n");
  return all;
}

TEST(ProxyTest, PlainHttpIsAskedForInAbsoluteForm) {
  RawServer target(ServePlain);
  RawProxy proxy(target.port());
  proto::Plan plan = PlanThrough(proxy.Url("ann:p%40ss@"), "http://far.test:8080/x?y", 2, 5);
  PointRun run = RunOnePoint(plan, Knowing("far.test"));
  EXPECT_EQ(run.counters.success, 10u);
  const std::vector<std::string> headers = proxy.Headers();
  ASSERT_EQ(headers.size(), 2u);  // connections last
  for (const std::string& header : headers) {
    EXPECT_TRUE(absl::StartsWith(header, "GET http://far.test:8080/x?y HTTP/1.1\r\nHost: far.test:8080\r\n")) << header;
    EXPECT_TRUE(absl::StrContains(header, "\r\nProxy-Authorization: Basic YW5uOnBAc3M=\r\n")) << header;
  }
}

TEST(ProxyTest, OthersGoThroughATunnel) {
  const ServerTls tls;
  RawServer plain([](int fd) { ServeWebSocket(fd); });
  RawServer secure([&](int fd) { ServeTls(tls, fd); });
  RawServer secure_web_socket([&](int fd) { ServeSecureWebSocket(tls, fd); });
  struct Row {
    const char* url;
    const RawServer* target;
    const char* line;
  };
  for (const Row& row : {Row{"https://far.test/x", &secure, "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n"},
                         Row{"ws://far.test:8080/", &plain, "CONNECT far.test:8080 HTTP/1.1\r\n"},
                         Row{"wss://far.test:8443/", &secure_web_socket, "CONNECT far.test:8443 HTTP/1.1\r\n"},
                         Row{"https://[::1]:8443/", &secure, "CONNECT [::1]:8443 HTTP/1.1\r\n"}}) {
    RawProxy proxy(row.target->port());
    PointRun run = RunOnePoint(PlanThrough(proxy.Url("ann:secret@"), row.url, 2, 3), Knowing("far.test"));
    EXPECT_EQ(run.counters.success, 6u) << row.url << Errors(run);
    const std::vector<std::string> headers = proxy.Headers();
    ASSERT_EQ(headers.size(), 2u) << row.url;
    EXPECT_TRUE(absl::StartsWith(headers[0], row.line)) << headers[0];
    EXPECT_TRUE(absl::StrContains(headers[0], "\r\nProxy-Authorization: Basic YW5uOnNlY3JldA==\r\n")) << headers[0];
  }
}

TEST(ProxyTest, AnAnswerMayComeInAnyPiecesAndHasNoBody) {
  const ServerTls tls;
  RawServer target([&](int fd) { ServeTls(tls, fd); });
  for (const bool is_slow : {false, true}) {
    for (const std::string granted : {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204\r\n\r\n",
                                      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n"}) {
      RawProxy proxy(target.port(), granted, is_slow);
      PointRun run = RunOnePoint(PlanThrough(proxy.Url(), "https://far.test/", 1, 2), Knowing("far.test"));
      EXPECT_EQ(run.counters.success, 2u) << granted << is_slow << Errors(run);
    }
  }
}

// What the agent's list names the agent fills in, and nobody else sees.
TEST(ProxyTest, CredentialsMayBeReferencesToSecrets) {
  const std::string path = testing::TempDir() + "/tidemark-proxy-password";
  std::ofstream(path) << "s:esame@1\n";
  setenv("TIDEMARK_TEST_PROXY_USER", "ann", 1);
  setenv("TIDEMARK_TEST_PROXY_BOTH", "ann:s:esame@1", 1);
  proto::AllowList list;
  for (const std::string& secret :
       {std::string("env:TIDEMARK_TEST_PROXY_USER"), std::string("env:TIDEMARK_TEST_PROXY_BOTH"), "file:" + path})
    list.add_secrets(secret);
  list.add_targets()->set_host("far.test");
  RawServer target(ServePlain);
  for (const std::string& credentials : {"ann:{file:" + path + "}@", std::string("{env:TIDEMARK_TEST_PROXY_BOTH}@"),
                                         "{env:TIDEMARK_TEST_PROXY_USER}:{file:" + path + "}@"}) {
    RawProxy proxy(target.port());
    PointRun run =
        RunOnePoint(PlanThrough(proxy.Url(credentials), "http://far.test:8080/", 1, 3), *TargetGuard::Make({}, list));
    EXPECT_EQ(run.counters.success, 3u) << credentials;
    ASSERT_EQ(proxy.Headers().size(), 1u);
    // base64 of "ann:s:esame@1"
    EXPECT_TRUE(absl::StrContains(proxy.Headers()[0], "\r\nProxy-Authorization: Basic YW5uOnM6ZXNhbWVAMQ==\r\n"))
        << proxy.Headers()[0];
  }
  RawProxy proxy(target.port());
  const absl::Status status =
      OpenOnly(PlanThrough(proxy.Url("ann:{env:PATH}@"), "http://far.test:8080/", 1, 1), *TargetGuard::Make({}, list));
  EXPECT_THAT(status, FailsWith("env:PATH"));
  EXPECT_TRUE(proxy.Headers().empty());
  std::remove(path.c_str());
}

// What follows the empty line is the target's already.
TEST(ProxyTest, NotAByteMoreIsTakenThanTheAnswerHas) {
  RawServer target([](int) {});
  RawProxy proxy(target.port(),
                 std::string("HTTP/1.1 200 OK\r\n\r\n") + std::string("\x15\x03\x03\x00\x02\x02\x28", 7));
  proto::Plan plan = PlanThrough(proxy.Url(), "https://far.test/", 1, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(2 * kSecond);
  PointRun run = RunOnePoint(plan, Knowing("far.test"));
  EXPECT_GT(run.warmup[TlsAlert::kHandshakeFailure], 0u) << Errors(run);
  EXPECT_EQ(run.warmup[ConnectResult::kTimeout], 0u);
}

TEST(ProxyTest, ARefusalIsAFailedAttemptWithItsStatus) {
  RawServer target(ServePlain);
  struct Row {
    std::string granted;
    const char* text;
  };
  for (const Row& row : {Row{"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                             ": answered with 407 Proxy Authentication Required\n"},
                         Row{"HTTP/1.1 503\r\n\r\n", ": answered with 503\n"},
                         Row{"HTTP/1.1 302 Found\r\n\r\n", ": answered with 302 Found"},
                         Row{"HTTP/1.1 101 Switching Protocols\r\n\r\n", ": answered with 101"},
                         Row{"SSH-2.0-x\r\n", ": answered with no HTTP: 'SSH-2.0-x"},
                         Row{"HTTP/1.1 2x0 OK\r\n\r\n", ": answered with no HTTP"},
                         Row{"HTTP/1.1 200 OK\r\n" + std::string(70'000, 'a'), ": its answer has no end within 64 KiB"},
                         // The credentials that we sent, in the proxy's own words.
                         Row{"HTTP/1.1 403 no YW5uOnNlc2FtZQ sesame\r\n\r\n", ": answered with 403 no *** ***"}}) {
    RawProxy proxy(target.port(), row.granted);
    PointRun run = RunOnePoint(PlanThrough(proxy.Url("ann:sesame@"), "https://far.test/", 1, 2), Knowing("far.test"));
    EXPECT_EQ(run.counters[NeverSent::kConnectOther], 2u) << row.granted.substr(0, 40);
    EXPECT_GT(run.warmup[ConnectResult::kOther], 0u);
    EXPECT_EQ(run.warmup[ConnectResult::kTlsFailed], 0u);
    EXPECT_TRUE(absl::StrContains(Errors(run), absl::StrCat("proxy 127.0.0.1:", proxy.port(), row.text)))
        << Errors(run);
  }
}

TEST(ProxyTest, SilenceIsATimeOutAndAnEndIsSaid) {
  RawServer silent([](int fd) {
    char some[4096];
    while (recv(fd, some, sizeof some, 0) > 0) {
    }
  });
  proto::Plan plan = PlanThrough(absl::StrCat("http://127.0.0.1:", silent.port()), "https://far.test/", 1, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan, Knowing("far.test"));
  EXPECT_GT(run.warmup[ConnectResult::kTimeout], 0u);
  EXPECT_TRUE(absl::StrContains(Errors(run), ": no answer to CONNECT in time")) << Errors(run);

  RawServer closing([](int fd) {
    if (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 200 OK\r\nVia");
  });
  plan.set_proxy(absl::StrCat("http://127.0.0.1:", closing.port()));
  run = RunOnePoint(plan, Knowing("far.test"));
  EXPECT_TRUE(absl::StrContains(Errors(run), ": it closed the connection before the tunnel was open")) << Errors(run);

  plan.set_proxy("http://127.0.0.1:1");
  run = RunOnePoint(plan, Knowing("far.test"));
  EXPECT_TRUE(absl::StrContains(Errors(run), "connect to proxy 127.0.0.1:1: Connection refused")) << Errors(run);
  EXPECT_GT(run.warmup[ConnectResult::kRefused], 0u);
}

// A proxy is no way round the list.
TEST(ProxyTest, TheGuardJudgesTheProxyAndTheTarget) {
  const auto judged = [](const char* proxy, const char* url, const TargetGuard& guard) {
    return OpenOnly(PlanThrough(proxy, url, 1, 1), guard);
  };
  const TargetGuard plain = *TargetGuard::Make({});
  EXPECT_THAT(judged("http://203.0.113.9:1", "http://127.0.0.1/", plain),
              FailsWith("target refused: 203.0.113.9 is 203.0.113.9:1"));
  EXPECT_THAT(judged("http://127.0.0.1:1", "http://203.0.113.9/", plain),
              FailsWith("target refused: 203.0.113.9 is 203.0.113.9:80"));
  EXPECT_THAT(
      judged("http://127.0.0.1:1", "https://far.test/", plain),
      FailsWith("target refused: far.test, asked of a proxy, has no address that this agent could judge it by"));
  EXPECT_OK(judged("http://127.0.0.1:1", "https://far.test/", Knowing("far.test")));
  EXPECT_OK(judged("http://127.0.0.1:1", "https://127.0.0.1/", plain));
  // As long as a name is an exchange's production, it takes more than its name.
  EXPECT_FALSE(judged("http://127.0.0.1:1", "https://api.binance.com.invalid/", plain).ok());
  EXPECT_THAT(TargetGuard::Make({"x.binance.com"})->CheckName("x.binance.com", 443), FailsWith("production"));
  proto::AllowList list;
  list.add_targets()->set_host("far.test");
  list.mutable_targets(0)->add_ports(443);
  list.mutable_targets(0)->set_max_connections(7);
  const TargetGuard ports = *TargetGuard::Make({}, list);
  EXPECT_EQ(ports.CheckName("FAR.test.", 443)->max_connections, 7);
  EXPECT_THAT(ports.CheckName("far.test", 80), FailsWith("allows other ports of it only"));
}

// Its answer to a request that our ceiling still holds back is none, in whatever the connection would go on with.
TEST(ProxyTest, AnAnswerBeforeTheRequestIsRefused) {
  RawServer proxy([](int fd) {
    SendAll(fd, "HTTP/1.1 200 OK\r\n\r\n");
    ReadRequest(fd);
  });
  proto::AllowList list;
  proto::AllowedTarget* const target = list.add_targets();
  target->set_host("far.test");
  target->set_max_rate(1);
  list.add_targets()->set_cidr("127.0.0.0/8");
  for (const char* const url : {"https://far.test/", "ws://far.test/", "wss://far.test/"}) {
    proto::Plan plan = PlanThrough(absl::StrCat("http://127.0.0.1:", proxy.port()), url, 4, 1);
    *plan.mutable_connect_timeout() = ToDurationProto(500 * kMillisecond);
    *plan.mutable_timeout() = ToDurationProto(500 * kMillisecond);
    auto guard = TargetGuard::Make({}, list);
    ASSERT_OK(guard);
    const std::string errors = Errors(RunOnePoint(plan, *guard));
    EXPECT_TRUE(absl::StrContains(errors, "before it was asked for a tunnel")) << url << ": " << errors;
  }
}

}  // namespace
}  // namespace tidemark

// Targets that end TLS after the handshake, or do not go on with it.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"

namespace tidemark {
namespace {

proto::Plan PlanOver(const RawServer& server, std::int64_t connections, std::int64_t each) {
  proto::Plan plan = PlanFor(absl::StrCat("https://127.0.0.1:", server.port(), "/"), connections, each);
  plan.mutable_tls()->set_insecure(true);
  return plan;
}

std::uint64_t Alerts(const PointRun& run, TlsAlert alert) {
  const auto i = static_cast<std::size_t>(alert);
  return run.warmup.tls_alerts[i] + run.counters.tls_alerts[i];
}

// With TLS 1.3 the client's handshake is over before the server has seen that there is no certificate.
TEST(TlsAlertTest, ATargetThatWantsAClientCertificateSaysSoByName) {
  const ServerTls tls;
  SSL_CTX_set_verify(tls.context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  std::atomic<int> refused{0};
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) != 1) ++refused;  // sends the alert
    SSL_free(ssl);
  });
  PointRun run = RunOnePoint(PlanOver(server, 2, 5));
  EXPECT_EQ(run.counters.planned, 10u);
  EXPECT_EQ(run.counters.success, 0u);
  EXPECT_GT(Alerts(run, TlsAlert::kCertificateRequired), 0u);
  EXPECT_LE(Alerts(run, TlsAlert::kCertificateRequired), static_cast<std::uint64_t>(refused));
  EXPECT_EQ(Alerts(run, TlsAlert::kOther), 0u);
  // What was sent is a reset, as before; what was not, TLS is to blame for.
  EXPECT_EQ(run.counters.sent, run.counters[Outcome::kReset] + run.counters[Outcome::kClosedEarly]);
  EXPECT_EQ(run.counters.NeverSentTotal(), run.counters[NeverSent::kTls]);
  std::int64_t named = 0;
  for (const proto::ConnectError& error : run.ready.errors())
    named += absl::StrContains(error.text(), "TLS alert after the handshake: certificate required") ? 1 : 0;
  EXPECT_GT(named + static_cast<std::int64_t>(run.counters[Outcome::kReset]), 0);
}

TEST(TlsAlertTest, ARecordThatDoesNotDecryptIsMalformedAndNoReset) {
  const ServerTls tls;
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    char some[4096];
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, some, sizeof some) > 0) {
      SendAll(fd, std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'j'));
      ReadRequest(fd);  // until the client goes
    }
    SSL_free(ssl);
  });
  PointRun run = RunOnePoint(PlanOver(server, 2, 5));
  EXPECT_EQ(run.counters[Outcome::kMalformed], 10u);
  EXPECT_EQ(run.counters[Outcome::kReset], 0u);
  EXPECT_EQ(Alerts(run, TlsAlert::kOther), 0u);
}

// With TLS 1.2 the handshake itself fails.
TEST(TlsAlertTest, AnAlertInTheHandshakeIsNamedToo) {
  const ServerTls tls;
  SSL_CTX_set_max_proto_version(tls.context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(tls.context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    SSL_accept(ssl);
    SSL_free(ssl);
  });
  PointRun run = RunOnePoint(PlanOver(server, 1, 3));
  EXPECT_EQ(run.counters[NeverSent::kTls], 3u);
  EXPECT_GT(Alerts(run, TlsAlert::kHandshakeFailure), 0u);
  EXPECT_EQ(Alerts(run, TlsAlert::kHandshakeFailure),
            run.warmup[ConnectResult::kTlsFailed] + run.counters[ConnectResult::kTlsFailed]);
}

// The target answers one request, and then lets each handshake hang.
TEST(TlsAlertTest, ASlotWhoseConnectionWasStillBeingOpenedAtTheEndSaysSo) {
  const ServerTls tls;
  std::atomic<int> connections{0};
  RawServer server([&](int fd) {
    char some[4096];
    if (++connections > 1) {
      while (recv(fd, some, sizeof some, 0) > 0) {
      }
      return;
    }
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, some, sizeof some) > 0) {
      const std::string answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
  });
  proto::Plan plan = PlanOver(server, 1, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(1400 * kMillisecond);
  *plan.mutable_connect_timeout() = ToDurationProto(10 * kSecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.planned, 2u);
  EXPECT_EQ(run.counters.success, 1u);
  EXPECT_EQ(run.counters[NeverSent::kConnecting], 1u);
  EXPECT_EQ(run.counters[ConnectResult::kAbandoned], 1u);
  EXPECT_EQ(run.counters.abandoned_open, 1u);
}

}  // namespace
}  // namespace tidemark

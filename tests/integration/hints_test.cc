// What went wrong is said where it went wrong: the other protocol on the port, keys that nobody can open, addresses
// that are not ours, full accept queues.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/control/certs.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

absl::Status OpenOnly(const proto::Plan& plan) {
  proto::Open open;
  *open.mutable_plan() = plan;
  return Session::Open(open, OwnGuard(), 1, [](const proto::Event&) {}).status();
}

bool HasError(const PointRun& run, const std::string& part) {
  for (const proto::ConnectError& error : run.ready.errors()) {
    if (absl::StrContains(error.text(), part)) return true;
  }
  return false;
}

TEST(HintsTest, TlsToAPortThatSpeaksPlainHttpIsSaid) {
  // At once, as some servers do to what is no request, and after the whole of it.
  for (const bool is_whole : {true, false}) {
    RawServer server([&](int fd) {
      char some[4096];
      if (recv(fd, some, is_whole ? sizeof some : 1, 0) <= 0) return;
      SendAll(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      shutdown(fd, SHUT_WR);
      while (recv(fd, some, sizeof some, 0) > 0) {
      }
    });
    for (const std::string scheme : {"https", "wss"}) {
      proto::Plan plan = PlanFor(absl::StrCat(scheme, "://127.0.0.1:", server.port(), "/"), 1, 1);
      plan.mutable_requests(0)->set_body(scheme == "wss" ? "x" : "");
      plan.mutable_tls()->set_insecure(true);
      EXPECT_TRUE(HasError(RunOnePoint(plan), "the target speaks plain HTTP; write http:// or ws://")) << scheme;
    }
  }
}

TEST(HintsTest, ARecordThatIsNoHttpEitherIsNotCalledThat) {
  RawServer server([](int fd) {
    SendAll(fd, "SSH-2.0-OpenSSH_9.2\r\n");
    char some[4096];
    while (recv(fd, some, sizeof some, 0) > 0) {
    }
  });
  proto::Plan plan = PlanFor(absl::StrCat("https://127.0.0.1:", server.port(), "/"), 1, 1);
  PointRun run = RunOnePoint(plan);
  EXPECT_FALSE(HasError(run, "plain HTTP"));
  EXPECT_TRUE(HasError(run, "handshake: "));
}

// An alert is what most servers send to what is no ClientHello.
TEST(HintsTest, HttpToAPortThatSpeaksTlsIsSaid) {
  const ServerTls tls;
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    SSL_accept(ssl);
    SSL_free(ssl);
    // OpenSSL itself sends none to what looks like HTTP.
    SendAll(fd, std::string("\x15\x03\x01\x00\x02\x02\x46", 7));
    shutdown(fd, SHUT_WR);
    char some[4096];
    while (recv(fd, some, sizeof some, 0) > 0) {
    }
  });
  PointRun run = RunOnePoint(PlanFor(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, 3));
  EXPECT_EQ(run.counters[Outcome::kMalformed], 3u);
  EXPECT_EQ(run.counters.tls_answers, 3u);
  proto::Plan plan = PlanFor(absl::StrCat("ws://127.0.0.1:", server.port(), "/"), 1, 1);
  plan.mutable_requests(0)->set_body("x");
  EXPECT_TRUE(HasError(RunOnePoint(plan), "upgrade: the target speaks TLS; write wss://"));
}

TEST(HintsTest, WhatIsMalformedLaterIsNoTls) {
  RawServer server([](int fd) {
    if (!ReadRequest(fd)) return;
    SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    SendAll(fd, std::string("\x15\x03\x01\x00\x02\x02\x46", 7));
  });
  PointRun run = RunOnePoint(PlanFor(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, 1));
  EXPECT_EQ(run.counters[Outcome::kMalformed], 1u);
  EXPECT_EQ(run.counters.tls_answers, 0u);
}

// A folder with a certificate and its key, encrypted in the form that is asked for.
class KeyFolder {
 public:
  explicit KeyFolder(bool is_traditional) {
    char name[] = "/tmp/tidemark-keys-XXXXXX";
    path_ = mkdtemp(name);
    const SelfSigned own;
    unsigned char passphrase[] = "sesame";
    BIO* const out = BIO_new_file((path_ + "/key.pem").c_str(), "w");
    EXPECT_EQ((is_traditional ? PEM_write_bio_PrivateKey_traditional : PEM_write_bio_PrivateKey)(
                  out, own.key, EVP_aes_128_cbc(), passphrase, 6, nullptr, nullptr),
              1);
    BIO_free(out);
    std::filesystem::permissions(path_ + "/key.pem", std::filesystem::perms::owner_read);
    for (const char* name_of_cert : {"/cert.pem", "/ca.pem"}) {
      FILE* const file = std::fopen((path_ + name_of_cert).c_str(), "w");
      EXPECT_EQ(PEM_write_X509(file, own.certificate), 1);
      std::fclose(file);
    }
  }
  ~KeyFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(HintsTest, AnEncryptedKeyIsNamedAndNobodyIsAskedForItsPassphrase) {
  for (const bool is_traditional : {true, false}) {
    const KeyFolder folder(is_traditional);
    proto::Plan plan = PlanFor("https://127.0.0.1:1/", 1, 1);
    plan.mutable_tls()->set_cert_file(folder / "cert.pem");
    plan.mutable_tls()->set_key_file(folder / "key.pem");
    const absl::Status status = OpenOnly(plan);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;  // exit code 1
    EXPECT_THAT(status, FailsWith("tls.key_file: '" + (folder / "key.pem") +
                                  "' is encrypted, and nobody is asked for its passphrase"));
    EXPECT_THAT(ReadControlCerts(folder.path()),
                FailsWith("--control-certs: '" + (folder / "key.pem") + "' is encrypted"));
  }
}

TEST(HintsTest, ASourceThatIsNotOursIsNamedBeforeTheRun) {
  proto::Plan plan = PlanFor("http://127.0.0.1:1/", 1, 1);
  plan.add_source_addresses("127.0.0.1");
  EXPECT_OK(OpenOnly(plan));
  plan.add_source_addresses("203.0.113.9");
  const absl::Status status = OpenOnly(plan);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;  // exit code 1
  EXPECT_THAT(status,
              FailsWith("source_addresses: 203.0.113.9 is no address of this agent's machine; it has 127.0.0.1"));
}

// A Unix socket that accepts nobody for `pause`, with room for two.
struct FullQueue {
  explicit FullQueue(Nanos pause) : address(SocketAddress::OfUnix(absl::StrCat("@tidemark-full-", getpid()))) {
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener, address.get(), address.length), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    acceptor = std::thread([this, pause] {
      std::this_thread::sleep_for(std::chrono::nanoseconds(pause));
      while (!is_over) {
        const int fd = accept(listener, nullptr, nullptr);
        if (fd < 0) continue;
        threads.emplace_back([fd] {
          while (ReadRequest(fd)) SendAll(fd, kAnswer);
          close(fd);
        });
      }
    });
  }
  ~FullQueue() {
    is_over = true;
    shutdown(listener, SHUT_RDWR);
    acceptor.join();
    for (std::thread& thread : threads) thread.join();
    close(listener);
  }
  const SocketAddress address;
  int listener = -1;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  std::thread acceptor;
};

TEST(HintsTest, AFullAcceptQueueOfAUnixSocketIsWaitedFor) {
  const FullQueue queue(300 * kMillisecond);
  PointRun run = RunOnePoint(PlanFor("unix:" + queue.address.ToString() + ":/", 50, 2), OwnGuard());
  EXPECT_EQ(run.counters.success, 100u);
  EXPECT_EQ(run.warmup[ConnectResult::kEstablished], 50u);
  EXPECT_EQ(run.warmup[ConnectResult::kOther], 0u);
  EXPECT_EQ(run.warmup[ConnectResult::kTimeout], 0u);
  EXPECT_GE(run.warmup.waited_for_room, 40u);
  EXPECT_LE(run.warmup.waited_for_room, 50u);
}

TEST(HintsTest, ItIsWaitedForNoLongerThanTheConnectTimeOut) {
  const FullQueue queue(1'500 * kMillisecond);
  proto::Plan plan = PlanFor("unix:" + queue.address.ToString() + ":/", 4, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan, OwnGuard());
  EXPECT_GE(run.warmup[ConnectResult::kTimeout], 2u);
  EXPECT_EQ(run.warmup[ConnectResult::kOther], 0u);
  EXPECT_TRUE(HasError(run, "connect to " + queue.address.ToString() + ": Connection timed out"));
}

// A listener whose queue is full drops the SYN on loopback, and the kernel sends it again after a second.
TEST(HintsTest, OurOwnSynsThatWereSentAgainAreCounted) {
  const Listener listener = ListenOn("127.0.0.1", 0);  // room for one
  std::vector<int> fillers;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(listener.port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  for (int i = 0; i < 2; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connect(fillers.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  proto::Plan plan = PlanFor(absl::StrCat("http://127.0.0.1:", listener.port, "/"), 1, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(1'400 * kMillisecond);
  *plan.mutable_timeout() = ToDurationProto(100 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_GE(run.warmup.syn_retransmits, 1u);
  EXPECT_LE(run.warmup.syn_retransmits, 2u);
  for (const int fd : fillers) close(fd);
  close(listener.fd);
}

TEST(HintsTest, AQuickConnectionHasSentNoSynAgain) {
  RawServer server([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, kAnswer);
  });
  PointRun run = RunOnePoint(PlanFor(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 4, 2));
  EXPECT_EQ(run.warmup.syn_retransmits + run.counters.syn_retransmits, 0u);
}

}  // namespace
}  // namespace tidemark

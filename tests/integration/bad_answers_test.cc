// Ways to answer, well and badly, over sockets, plain and through TLS: each has one right class by RFC 9110, 9112 and
// 6455, wherever its bytes are cut and however its connection ends; nothing hangs, and no connection is used that must
// not be. That the parser finds the same at every cut, AnswerPropertyTest says.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/plan/durations.h"
#include "tests/support/listener.h"
#include "tests/support/random.h"
#include "tests/support/server_frames.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"
#include "tests/support/ways_to_answer.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

bool IsFull() { return std::getenv("TIDEMARK_FULL") != nullptr; }

// How a server's end of a connection ends, behind its answer and in the same segment.
enum class End : std::uint8_t {
  kNone,   // it stays
  kClose,  // in order, over TLS with close_notify
  kCut,    // over TLS without it
};

// A server's end, plain or TLS.
class Peer {
 public:
  Peer(int fd, SSL_CTX* tls) : fd_(fd), ssl_(tls == nullptr ? nullptr : SSL_new(tls)) {
    if (ssl_ == nullptr) return;
    SSL_set_fd(ssl_, fd);
    is_up_ = SSL_accept(ssl_) == 1;
  }
  ~Peer() { SSL_free(ssl_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // What comes next; empty: the client is gone.
  std::string Read() {
    char some[16 << 10];
    const auto n = !is_up_ ? 0 : ssl_ != nullptr ? SSL_read(ssl_, some, sizeof some) : recv(fd_, some, sizeof some, 0);
    return std::string(some, static_cast<std::size_t>(std::max<std::int64_t>(n, 0)));
  }
  // Up to the empty line; no more is sent by who waits for an answer.
  std::string ReadHeader() {
    std::string text;
    while (!absl::EndsWith(text, "\r\n\r\n")) {
      const std::string more = Read();
      if (more.empty()) return "";
      text += more;
    }
    return text;
  }
  // Two pieces, the second of which ends as `end` says. `pause`: the first is read before the second comes, mostly.
  void Send(const std::string& bytes, std::size_t cut, bool pause, End end = End::kNone) {
    cut = std::min(cut, bytes.size());
    if (cut > 0) Write(bytes.substr(0, cut));
    if (cut > 0 && pause) usleep(500);
    Cork(1);
    if (cut < bytes.size()) Write(bytes.substr(cut));
    if (ssl_ != nullptr && end == End::kClose) SSL_shutdown(ssl_);
    if (end != End::kNone) shutdown(fd_, SHUT_WR);
    Cork(0);
  }

 private:
  void Write(const std::string& bytes) {
    if (ssl_ != nullptr) {
      SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    } else {
      SendAll(fd_, bytes);
    }
  }
  void Cork(int on) { setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }

  const int fd_;
  SSL* const ssl_;
  bool is_up_ = true;
};

// Serves one connection after another in each of its threads.
class Pool {
 public:
  Pool(SSL_CTX* tls, std::function<void(Peer*)> serve) : tls_(tls), serve_(std::move(serve)) {
    const Listener listener = ListenOn("127.0.0.1", 1'024);
    listener_ = listener.fd;
    port_ = listener.port;
    constexpr int kThreads = 100;
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Pool() {
    shutdown(listener_, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    close(listener_);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  std::string Url(const std::string& scheme) const {
    return absl::StrCat(scheme, tls_ == nullptr ? "" : "s", "://127.0.0.1:", port_, "/");
  }
  int connections() const { return connections_; }

 private:
  void Run() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      {
        Peer peer(fd, tls_);
        serve_(&peer);
      }
      close(fd);
    }
  }

  SSL_CTX* const tls_;
  const std::function<void(Peer*)> serve_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::vector<std::thread> threads_;
};

// One answer, as it is sent.
struct Delivery {
  std::string text;
  std::size_t cut = 0;
  End end = End::kNone;
};

std::string Described(const Delivery& delivery) {
  return absl::StrCat("cut at ", delivery.cut, ", end ", static_cast<int>(delivery.end), ":\n", delivery.text);
}

// What all deliveries of a run should come to.
struct Class {
  Outcome outcome = Outcome::kMalformed;
  bool is_reused = false;

  auto operator<=>(const Class&) const = default;
};

std::string OutcomesOf(const Counters& counters) {
  std::string text;
  for (std::size_t i = 0; i < counters.outcomes.size(); ++i)
    if (counters.outcomes[i] != 0) absl::StrAppend(&text, kOutcomeRows[i].json, " ", counters.outcomes[i], "; ");
  return text;
}

// Answers a run of as many requests with `deliveries`, one each. Empty if all came to `expected`.
std::string WrongOf(const std::vector<Delivery>& deliveries, const Class& expected, SSL_CTX* tls) {
  std::atomic<std::size_t> next{0};
  std::atomic<int> misused{0};
  Pool pool(tls, [&](Peer* peer) {
    while (!peer->ReadHeader().empty()) {
      const std::size_t at = next++;
      if (at >= deliveries.size()) return;
      peer->Send(deliveries[at].text, deliveries[at].cut, at % 2 == 0, deliveries[at].end);
      if (expected.is_reused) continue;
      if (!peer->Read().empty()) ++misused;
      return;
    }
  });
  const auto count = static_cast<std::int64_t>(deliveries.size());
  const std::int64_t connections = std::min<std::int64_t>(count, 32);
  proto::Plan plan = PlanFor(pool.Url("http"), connections, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  plan.mutable_sweep()->set_requests(count);
  plan.mutable_sweep()->set_warmup_requests_per_connection(0);
  plan.set_max_response_bytes(kMaxBodyOfWays);
  if (tls != nullptr) plan.mutable_tls()->set_insecure(true);
  if (expected.outcome == Outcome::kRequestTimeout) *plan.mutable_timeout() = ToDurationProto(150 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  if (run.counters[expected.outcome] != static_cast<std::uint64_t>(count))
    return absl::StrCat("not ", count, " but ", OutcomesOf(run.counters));
  if (misused != 0) return absl::StrCat(misused.load(), " connections were used that must not be");
  if (expected.is_reused && pool.connections() != connections)
    return absl::StrCat(connections, " connections would do, and ", pool.connections(), " were opened");
  return "";
}

// ... and if not, which of them it is.
void ExpectClass(std::vector<Delivery> deliveries, const Class& expected, SSL_CTX* tls) {
  std::string wrong = WrongOf(deliveries, expected, tls);
  if (wrong.empty()) return;
  while (deliveries.size() > 1) {
    const auto middle = deliveries.begin() + static_cast<std::ptrdiff_t>(deliveries.size() / 2);
    std::vector<Delivery> half(deliveries.begin(), middle);
    std::string here = WrongOf(half, expected, tls);
    if (here.empty()) {
      half.assign(middle, deliveries.end());
      here = WrongOf(half, expected, tls);
      if (here.empty()) break;  // only together
    }
    wrong = here;
    deliveries = half;
  }
  ADD_FAILURE() << "expected " << kOutcomeRows[static_cast<std::size_t>(expected.outcome)].json
                << (expected.is_reused ? ", and reused" : "") << ": " << wrong << "\n"
                << deliveries.size() << " like this, " << Described(deliveries.front());
}

Class ClassOf(const Way& way, End end) {
  Ending ending = end == End::kClose ? way.closed : way.open;
  // RFC 9112 section 9.8: a close without close_notify completes nothing.
  if (end == End::kCut && ending == kWaits) ending = kClosedEarly;
  switch (ending) {
    case kComplete:
      return {.outcome = OutcomeOfStatus(way.status), .is_reused = way.keeps && end == End::kNone};
    case kWaits:
      return {.outcome = Outcome::kRequestTimeout};
    case kMalformed:
      return {.outcome = Outcome::kMalformed};
    case kOverLimit:
      return {.outcome = Outcome::kOverLimit};
    case kClosedEarly:
      return {.outcome = Outcome::kClosedEarly};
  }
  return {};
}

// Where a cut may matter: behind the first byte, around the ends of lines, before the last byte; or anywhere.
// What comes behind a response comes with its last byte: else it would meet the next request, which nobody could help.
// So does the end of TCP behind a response that is complete without it, and then in the one segment there is: an event
// that told of an earlier one could not tell of it.
std::size_t AnyCut(const Way& way, End end, bool is_tls, std::mt19937_64& random) {
  if (way.open == kComplete && (end == End::kCut || (end == End::kClose && !is_tls))) return 0;
  const std::size_t most = way.text.empty() ? 0 : way.text.size() - 1;
  if (way.has_more) return random() % std::min<std::size_t>(9, most + 1);
  std::vector<std::size_t> places = {0, 1, most, random() % (most + 1)};
  for (std::size_t at = way.text.find('\n'); at != std::string::npos; at = way.text.find('\n', at + 1))
    for (const std::size_t cut : {at, at + 1, at + 2}) places.push_back(std::min(cut, most));
  return places[random() % places.size()];
}

void ExpectEndings(SSL_CTX* tls) {
  TIDEMARK_SEEDED(random);
  std::vector<Way> ways = WaysToAnswer();
  std::shuffle(ways.begin(), ways.end(), random);
  // One of each class is always among them.
  std::set<Class> seen;
  std::stable_partition(ways.begin(), ways.end(), [&seen](const Way& way) {
    const bool is_first = seen.insert(ClassOf(way, End::kNone)).second;
    return seen.insert(ClassOf(way, End::kClose)).second || is_first;
  });
  if (!IsFull()) ways.resize(tls == nullptr ? 600 : 400);
  const int cuts = IsFull() ? 8 : 1;
  std::map<Class, std::vector<Delivery>> by_class;
  for (const Way& way : ways) {
    for (const End end : {End::kNone, End::kClose, End::kCut}) {
      if (end == End::kCut && tls == nullptr) continue;
      for (int i = 0; i < cuts; ++i)
        by_class[ClassOf(way, end)].push_back(
            {.text = way.text, .cut = AnyCut(way, end, tls != nullptr, random), .end = end});
    }
  }
  // Complete of three classes of statuses, used again or not, and four ways to fail.
  EXPECT_GE(by_class.size(), 8u);
  for (const auto& [expected, deliveries] : by_class) ExpectClass(deliveries, expected, tls);
}

TEST(BadAnswersTest, OverPlainTcpEachWayToAnswerHasOneEnding) { ExpectEndings(nullptr); }

TEST(BadAnswersTest, OverTlsEachWayToAnswerHasOneEnding) {
  const ServerTls tls;
  ExpectEndings(tls.context.get());
}

// Handshakes by RFC 6455 section 4.2.2: what is changed in an answer that grants one.
struct Handshake {
  std::string from;
  std::string to;
};

const std::string kUpgrade = "Upgrade: websocket\r\n";
const std::string kConnection = "Connection: Upgrade\r\n";
const std::string kAcceptName = "Sec-WebSocket-Accept: ";
const std::string kGrantLine = "HTTP/1.1 101 Switching Protocols\r\n";

// Puts `line` behind the status line.
Handshake With(const std::string& line) { return {kUpgrade, kUpgrade + line}; }

std::vector<Handshake> GoodHandshakes() {
  return {{"", ""},
          {kUpgrade, "upgrade: WebSocket\r\n"},
          {kUpgrade, "UPGRADE:websocket\r\n"},
          {kConnection, "Connection: keep-alive, Upgrade\r\n"},
          {kConnection, "Connection: keep-alive\r\nConnection: upgrade\r\n"},
          {kConnection, "connection:UPGRADE\r\n"},
          {kAcceptName, "sec-websocket-accept:"},
          {kGrantLine, "HTTP/1.1 101\r\n"},
          {kGrantLine, "HTTP/1.1 101 \r\n"},
          {kGrantLine, "HTTP/1.1 101 OK\n"},
          {"\r\n", "\n"},
          With("Server: x\r\n"),
          With("X:\r\n"),
          {kGrantLine, "HTTP/1.1 100 Continue\r\n\r\n" + kGrantLine},
          {kGrantLine, "HTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 100\n\n" + kGrantLine}};
}

std::vector<Handshake> BadHandshakes() {
  std::vector<Handshake> bad = {{kUpgrade, ""},
                                {kUpgrade, "Upgrade: websockets\r\n"},
                                {kUpgrade, "Upgrade: h2c\r\n"},
                                {kUpgrade, "Upgrade:\r\n"},
                                {kConnection, ""},
                                {kConnection, "Connection: close\r\n"},
                                {kConnection, "Connection: keep-alive\r\n"},
                                {kConnection, "Connection: Upgraded\r\n"},
                                {kAcceptName, "X-Accept: "},
                                {kAcceptName, kAcceptName + "x"},
                                {kAcceptName, kAcceptName + "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX: "},
                                {kAcceptName, kAcceptName + "\r\nX: "},
                                With("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                                With("Sec-WebSocket-Extensions: x\r\n"),
                                With("Sec-WebSocket-Protocol: chat\r\n"),
                                With("Sec-WebSocket-Protocol: a, b\r\n")};
  for (const int status :
       {200, 204, 205, 206, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412,
        413, 414, 415, 417, 418, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511, 599})
    bad.push_back({kGrantLine, absl::StrCat("HTTP/1.1 ", status, " No\r\nContent-Length: 0\r\n\r\n")});
  for (const Line& line : kStatusLines) {
    if (!line.is_malformed) continue;
    bad.push_back({kGrantLine, line.text});
    bad.push_back({kGrantLine, "HTTP/1.1 100 Continue\r\n\r\n" + line.text});
  }
  for (const Line& field : kFields) {
    if (field.is_malformed && !field.is_of_value) bad.push_back(With(field.text));
  }
  return bad;
}

std::string Changed(const std::string& grant, const Handshake& handshake) {
  return handshake.from.empty() ? grant : absl::StrReplaceAll(grant, {{handshake.from, handshake.to}});
}

proto::Plan MessagesTo(const Pool& pool, std::int64_t connections, std::int64_t each) {
  proto::Plan plan = PlanFor(pool.Url("ws"), connections, each);
  plan.mutable_requests(0)->set_body("hello");
  plan.mutable_sweep()->set_warmup_requests_per_connection(0);
  plan.set_max_response_bytes(1'000);
  plan.mutable_tls()->set_insecure(absl::StartsWith(plan.target(), "wss"));
  return plan;
}

void ExpectHandshakes(SSL_CTX* tls) {
  TIDEMARK_SEEDED(random);
  const std::uint64_t seed = random();
  for (const bool is_good : {true, false}) {
    const std::vector<Handshake> handshakes = is_good ? GoodHandshakes() : BadHandshakes();
    for (const End end : {End::kNone, End::kClose}) {
      if (is_good && end == End::kClose) continue;
      std::atomic<std::size_t> next{0};
      std::atomic<int> misused{0};
      Pool pool(tls, [&](Peer* peer) {
        const std::string request = peer->ReadHeader();
        if (request.empty()) return;
        const std::size_t at = next++;
        const std::string answer = Changed(GrantOf(request), handshakes[at % handshakes.size()]);
        peer->Send(answer, Mix64(seed ^ at) % answer.size(), at % 2 == 0, end);
        // A message of the client's, which is masked; or its close, or its end.
        const std::string frame = peer->Read();
        const bool is_message = !frame.empty() && (frame[0] & 0x0f) == 1;
        if (is_message && !is_good) ++misused;
        if (is_message) peer->Send(ServerFrame(1, "reply"), 0, false);
        while (!peer->Read().empty()) {
        }
      });
      const auto count = static_cast<std::int64_t>(handshakes.size());
      PointRun run = RunOnePoint(MessagesTo(pool, count, 1));
      const auto all = static_cast<std::uint64_t>(count);
      EXPECT_GE(next, handshakes.size());
      EXPECT_EQ(misused, 0);
      EXPECT_EQ(run.counters[Outcome::kReply], is_good ? all : 0) << OutcomesOf(run.counters);
      EXPECT_EQ(run.counters[NeverSent::kUpgrade], is_good ? 0 : all);
      EXPECT_EQ(run.ready.connections_up(), is_good ? count : 0);
      EXPECT_EQ(run.warmup[ConnectResult::kUpgradeFailed] + run.counters[ConnectResult::kUpgradeFailed],
                is_good ? 0 : static_cast<std::uint64_t>(next));
    }
  }
}

TEST(BadAnswersTest, EachAnswerToAnUpgradeGrantsItOrDoesNot) { ExpectHandshakes(nullptr); }

TEST(BadAnswersTest, EachAnswerToAnUpgradeOverTlsGrantsItOrDoesNot) {
  const ServerTls tls;
  ExpectHandshakes(tls.context.get());
}

// What answers a message, by RFC 6455 sections 5 to 8.
struct Frames {
  std::string bytes;
  int close_code = 0;  // that we send; 0: none is looked for
};

std::string Header(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

std::vector<Frames> MalformedFrames() {
  std::vector<Frames> all;
  for (int opcode = 3; opcode <= 7; ++opcode) all.push_back({ServerFrame(opcode, "x"), 1002});
  for (int opcode = 11; opcode <= 15; ++opcode) all.push_back({ServerFrame(opcode, "x"), 1002});
  for (const int bits : {0x90, 0xa0, 0xb0, 0xc0, 0xf0, 0x40})
    for (const int opcode : {1, 2, 9, 10}) all.push_back({ServerFrame(opcode, "x", bits), 1002});
  for (const int opcode : {8, 9, 10}) {
    all.push_back({ServerFrame(opcode, "xx", 0), 1002});                // in parts
    all.push_back({ServerFrame(opcode, std::string(126, 'p')), 1002});  // too long
    all.push_back({Header({0x80 | opcode, 0x80, 1, 2, 3, 4}), 1002});   // masked
  }
  for (const int opcode : {1, 2}) {
    all.push_back({ServerFrame(opcode, "a", 0) + ServerFrame(opcode, "b"), 1002});
    all.push_back({Header({0x80 | opcode, 0x81, 1, 2, 3, 4, 'b'}), 1002});
    all.push_back({Header({0x80 | opcode, 126, 0, 1, 'x'}), 1002});
    all.push_back({Header({0x80 | opcode, 126, 0, 125}) + std::string(125, 'x'), 1002});
    all.push_back({Header({0x80 | opcode, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}), 1002});
    all.push_back({Header({0x80 | opcode, 127, 0, 0, 0, 0, 0, 0, 1, 0}), 1002});
  }
  all.push_back({ServerFrame(0, "x"), 1002});
  all.push_back({ServerFrame(0, "x", 0), 1002});
  all.push_back({ServerFrame(8, "x"), 1002});
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999}) all.push_back({ServerClose(code), 1002});
  for (const char* text : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abc\xe2\x82", "\x80",
                           "\xe2\x28\xa1", "\xf8\x88\x80\x80\x80", "\xc1\xbf", "a\xffz"}) {
    all.push_back({ServerFrame(1, text), 1007});
    all.push_back({ServerFrame(1, "a", 0) + ServerFrame(0, text), 1007});
    all.push_back({ServerClose(1000, text), 1007});
  }
  return all;
}

std::vector<Frames> OverLimitFrames() {
  return {{ServerFrame(1, std::string(1'001, 'x')), 1009},
          {ServerFrame(2, std::string(600, 'x'), 0) + ServerFrame(0, std::string(401, 'x')), 1009},
          {Header({0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), 1009},
          {Header({0x82, 127, 0, 0, 0, 0, 0x80, 0, 0, 0}), 1009},
          {Header({0x81, 126, 0xff, 0xff}), 1009}};
}

std::vector<Frames> Closes() {
  std::vector<Frames> all;
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999})
    for (const char* reason : {"", "bye", "\xe2\x82\xac"}) all.push_back({ServerClose(code, reason), code});
  all.push_back({ServerFrame(8, ""), 0});
  all.push_back({ServerClose(1001) + ServerFrame(1, "x"), 1001});
  return all;
}

std::vector<Frames> Replies() {
  std::vector<Frames> all;
  for (const char* text : {"", "reply", "\xe2\x82\xac"}) all.push_back({ServerFrame(1, text)});
  all.push_back({ServerFrame(2, "\xff\xfe")});
  all.push_back({ServerFrame(1, std::string(126, 'm'))});
  all.push_back({ServerFrame(1, std::string(1'000, 'm'))});
  all.push_back({ServerFrame(1, "he", 0) + ServerFrame(0, "l", 0) + ServerFrame(0, "lo")});
  all.push_back({ServerFrame(1, "", 0) + ServerFrame(0, "")});
  all.push_back({ServerFrame(1, "\xe2\x82", 0) + ServerFrame(9, "") + ServerFrame(0, "\xac")});
  return all;
}

// Halves of frames, which an end cuts off.
std::vector<Frames> Halves() {
  std::vector<Frames> all = {{""}};
  for (const Frames& whole : Replies()) {
    for (std::size_t size = 1; size < std::min<std::size_t>(whole.bytes.size(), 12); ++size)
      all.push_back({whole.bytes.substr(0, size)});
  }
  return all;
}

// What may stand before each of them and changes nothing.
const std::vector<std::string> kBefore = {"", ServerFrame(9, "p"), ServerFrame(10, "unasked")};

// One run of messages, each answered by one of `answers`.
void ExpectFrames(const std::vector<Frames>& answers, Outcome outcome, End end, SSL_CTX* tls) {
  TIDEMARK_SEEDED(random);
  const std::uint64_t seed = random();
  const bool is_reused = outcome == Outcome::kReply && end == End::kNone;
  const std::size_t count = answers.size() * kBefore.size();
  std::atomic<std::size_t> next{0};
  std::atomic<int> misused{0};
  std::atomic<int> wrong_codes{0};
  Pool pool(tls, [&](Peer* peer) {
    const std::string grant = GrantOf(peer->ReadHeader());
    if (grant.empty()) return;
    peer->Send(grant, 0, false);
    int code = 0;      // of our close
    int expected = 0;  // 0: none is looked for
    bool is_over = false;
    std::string pending;
    while (true) {
      const std::string more = peer->Read();
      if (more.empty()) break;
      pending += more;
      // Frames of a client: masked, and short here.
      while (pending.size() >= 6 && pending.size() >= 6u + (pending[1] & 0x7f)) {
        const int opcode = pending[0] & 0x0f;
        std::string payload = pending.substr(6, pending[1] & 0x7f);
        for (std::size_t i = 0; i < payload.size(); ++i)
          payload[i] = static_cast<char>(payload[i] ^ pending[2 + i % 4]);
        pending.erase(0, 6 + payload.size());
        if (opcode == 8 && payload.size() >= 2)
          code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
        if (opcode != 1) continue;
        if (is_over) ++misused;
        const std::size_t at = next++;
        const Frames& answer = answers[at / kBefore.size() % answers.size()];
        const std::string bytes = kBefore[at % kBefore.size()] + answer.bytes;
        is_over = !is_reused;
        expected = answer.close_code;
        // Nobody may say a word behind a reply, so that its last byte comes last.
        peer->Send(bytes, Mix64(seed ^ at) % (bytes.size() + 1), at % 2 == 0, end);
      }
    }
    if (expected != 0 && code != expected) ++wrong_codes;
  });
  const std::int64_t connections = std::min<std::int64_t>(static_cast<std::int64_t>(count), 16);
  proto::Plan plan = MessagesTo(pool, connections, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  plan.mutable_sweep()->set_requests(static_cast<std::int64_t>(count));
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[outcome], count) << OutcomesOf(run.counters);
  EXPECT_EQ(misused, 0);
  EXPECT_EQ(wrong_codes, 0);
  EXPECT_TRUE(!is_reused || pool.connections() == connections) << pool.connections();
}

void ExpectAllFrames(SSL_CTX* tls) {
  ExpectFrames(Replies(), Outcome::kReply, End::kNone, tls);
  ExpectFrames(MalformedFrames(), Outcome::kMalformed, End::kNone, tls);
  ExpectFrames(OverLimitFrames(), Outcome::kOverLimit, End::kNone, tls);
  ExpectFrames(Closes(), Outcome::kClosedEarly, End::kNone, tls);
  ExpectFrames(Closes(), Outcome::kClosedEarly, End::kClose, tls);
  ExpectFrames(Halves(), Outcome::kClosedEarly, End::kClose, tls);
  if (tls != nullptr) ExpectFrames(Halves(), Outcome::kClosedEarly, End::kCut, tls);
}

TEST(BadAnswersTest, EachAnswerToAMessageHasOneEnding) { ExpectAllFrames(nullptr); }

TEST(BadAnswersTest, EachAnswerToAMessageOverTlsHasOneEnding) {
  const ServerTls tls;
  ExpectAllFrames(tls.context.get());
}

}  // namespace
}  // namespace tidemark

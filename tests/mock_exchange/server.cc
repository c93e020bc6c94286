#include "tests/mock_exchange/server.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "tests/mock_exchange/endpoints.h"
#include "tests/mock_exchange/web_socket.h"

namespace tidemark {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kOversizeHeader = 200 << 10;
constexpr std::size_t kMaxDirectiveSets = 10'000;
constexpr absl::string_view kMockPrefix = "/mock/";
constexpr const char* kFaultNames[] = {"none", "reset", "hang", "garbage", "truncate", "oversize", "close"};

std::string Head(int status, absl::string_view framing, bool keep_alive) {
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  return absl::StrCat("HTTP/1.1 ", status, " ", absl::string_view(reason.data(), reason.size()),
                      "\r\nServer: tidemark-mock\r\nContent-Type: application/json;charset=UTF-8\r\n", framing,
                      keep_alive ? "" : "Connection: close\r\n", "\r\n");
}

bool HasNoBody(int status) { return status == 204 || status == 304; }

struct Response {
  std::string bytes;
  bool keep_alive = true;
  bool is_well_formed = true;
};

// `extra`: header lines.
std::string WellFormed(const Directives& directives, int status, const std::string& body, bool is_head,
                       const std::string& extra, bool* keep_alive) {
  if (directives.framing == Directives::Framing::kUntilClose) *keep_alive = false;
  std::string framing = absl::StrCat("Content-Length: ", body.size(), "\r\n");
  std::string payload = body;
  if (directives.framing == Directives::Framing::kUntilClose) framing.clear();
  if (directives.framing == Directives::Framing::kChunked) {
    framing = "Transfer-Encoding: chunked\r\n";
    const std::size_t half = body.size() / 2;
    payload.clear();
    for (const absl::string_view part :
         {absl::string_view(body).substr(0, half), absl::string_view(body).substr(half)}) {
      if (!part.empty()) absl::StrAppend(&payload, absl::Hex(part.size()), ";x=y\r\n", part, "\r\n");
    }
    absl::StrAppend(&payload, "0\r\nTrailer-Field: t\r\n\r\n");
  }
  if (HasNoBody(status)) framing.clear();
  if (is_head || HasNoBody(status)) payload.clear();
  return absl::StrCat(directives.has_interim ? "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" : "",
                      Head(status, framing + extra, *keep_alive), payload);
}

Response Faulty(Fault fault, const std::string& body) {
  const std::string head = Head(200, absl::StrCat("Content-Length: ", body.size(), "\r\n"), true);
  switch (fault) {
    case Fault::kReset:
    case Fault::kTruncate:
      return {.bytes = head + body.substr(0, body.size() / 2), .keep_alive = false, .is_well_formed = false};
    case Fault::kGarbage:
      return {.bytes = "\x16\x03garbage, not HTTP\r\n\r\n", .keep_alive = false, .is_well_formed = false};
    case Fault::kOversize:
      return {.bytes = absl::StrCat("HTTP/1.1 200 OK\r\nX-Large: ", std::string(kOversizeHeader, 'x'),
                                    "\r\nContent-Length: 0\r\n\r\n"),
              .keep_alive = false,
              .is_well_formed = false};
    default:
      return {.bytes = "", .keep_alive = false, .is_well_formed = false};
  }
}

// Closes with RST, once the kernel has delivered what was written.
asio::awaitable<void> Reset(tcp::socket& socket) {
  asio::steady_timer timer(socket.get_executor());
  int unsent = 1;
  for (int i = 0; i < 200 && ioctl(socket.native_handle(), SIOCOUTQ, &unsent) == 0 && unsent > 0; ++i) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(kAwait);
  }
  error_code ec;
  socket.set_option(asio::socket_base::linger(true, 0), ec);
  socket.close(ec);
}

}  // namespace

std::uint16_t MockServer::Listen(const std::string& host, std::uint16_t port, asio::ssl::context* tls) {
  tcp::acceptor acceptor(io_, tcp::endpoint(asio::ip::make_address(host), port));
  acceptor.listen(4096);
  const std::uint16_t bound = acceptor.local_endpoint().port();
  asio::co_spawn(io_, Accept(std::move(acceptor), tls), asio::detached);
  return bound;
}

asio::awaitable<void> MockServer::Accept(tcp::acceptor acceptor, asio::ssl::context* tls) {
  asio::steady_timer pause(io_);
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(kAwait);
    if (ec) {  // out of descriptors: let some connections end
      pause.expires_after(std::chrono::milliseconds(10));
      co_await pause.async_wait(kAwait);
      continue;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ++truth_.accepted;
    SSL_CTX* const context = tls == nullptr ? nullptr : tls->native_handle();
    asio::co_spawn(io_, Serve(StampedStream(std::move(socket), context)), asio::detached);
  }
}

std::shared_ptr<MockServer::Counted> MockServer::Find(const std::string& text) {
  auto found = counted_.find(text);
  if (found == counted_.end()) {
    const auto directives = ParseDirectives(text);
    if (!directives.ok() || counted_.size() >= kMaxDirectiveSets) return nullptr;
    found = counted_.emplace(text, std::make_shared<Counted>(*directives)).first;
  }
  return found->second;
}

asio::awaitable<void> MockServer::Serve(StampedStream stream) {
  if (stream.is_tls()) {
    const auto [handshake_error, nothing] = co_await stream.async_handshake(kAwait);
    if (handshake_error) co_return;
  }
  boost::beast::flat_buffer buffer;
  asio::steady_timer timer(io_);
  bool is_first = true;
  bool keep_alive = true;
  while (keep_alive) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(16 << 20);
    const auto [read_error, request_bytes] = co_await http::async_read(stream, buffer, parser, kAwait);
    if (read_error) break;
    const Nanos arrived = stream.received();
    const http::request<http::string_body>& request = parser.get();
    const std::string target(request.target().data(), request.target().size());
    keep_alive = request.keep_alive();
    const bool is_head = request.method() == http::verb::head;

    if (target == "/__truth" || target == "/__reset" || target == "/__arrivals" || target == "/__events") {
      if (is_first) --truth_.accepted;
      const std::string body = target == "/__arrivals" ? truth_.ArrivalsText()
                               : target == "/__events" ? truth_.EventsText()
                                                       : truth_.ToJson();
      if (target == "/__reset") {
        truth_ = Truth(truth_.max_arrivals);
        counted_.clear();
      }
      const std::string bytes =
          absl::StrCat(Head(200, absl::StrCat("Content-Length: ", body.size(), "\r\n"), keep_alive), body);
      co_await asio::async_write(stream, asio::buffer(bytes), kAwait);
      is_first = false;
      continue;
    }
    is_first = false;
    const auto header = request["X-Mock"];
    std::string text(header.data(), header.size());
    if (absl::StartsWith(target, kMockPrefix)) text = target.substr(kMockPrefix.size());
    const std::shared_ptr<Counted> counted = Find(text);
    // One that is to be refused is answered as any request.
    if (boost::beast::websocket::is_upgrade(request) && counted != nullptr && counted->directives.status == 200) {
      const std::int64_t rate = counted->directives.connect_rate;
      std::deque<Nanos>& upgrades = counted->upgrades;
      while (!upgrades.empty() && arrived - upgrades.front() > kSecond) upgrades.pop_front();
      if (rate != 0 && static_cast<std::int64_t>(upgrades.size()) >= rate) {
        ++truth_.faults["connect rate"];
        const std::string refusal = Head(429, "Content-Length: 0\r\n", false);
        co_await asio::async_write(stream, asio::buffer(refusal), kAwait);
        break;
      }
      if (rate != 0) upgrades.push_back(arrived);
      if (counted->directives.stream != 0) {
        if (counted->first_stream == 0) counted->first_stream = MonotonicNow();
        co_return co_await ServeStream(stream, request, counted->directives, counted->first_stream, ahead_, &truth_);
      }
      co_return co_await ServeEcho(stream, request, &counted->residence, &truth_);
    }
    ++truth_.parsed;
    truth_.bytes_received += request_bytes;
    truth_.AddArrival(arrived);

    // The slot's own number, if the request names it, decides what happens to it; else the order of arrival.
    std::int64_t index = counted == nullptr ? 0 : counted->arrivals++;
    const auto seq = request["X-Seq"];
    std::int64_t slot = 0;
    const bool has_seq = absl::SimpleAtoi(absl::string_view(seq.data(), seq.size()), &slot) && slot >= 0;
    if (has_seq) index = slot;
    const Directives directives = counted == nullptr ? Directives() : counted->directives;
    EndpointAnswer answer = absl::StartsWith(target, kMockPrefix)
                                ? EndpointAnswer{.body = "{\"mock\":true}"}
                                : AnswerOf(target, (WallNow() + ahead_) / kMillisecond);
    if (counted == nullptr) answer = {.status = 400, .body = "{\"error\":\"bad directives\"}"};
    if (directives.StatusOf(index) != 200) answer.status = directives.StatusOf(index);
    if (directives.body_bytes >= 0) answer.body.assign(static_cast<std::size_t>(directives.body_bytes), 'x');

    if (directives.FreezesAt(index)) std::this_thread::sleep_for(std::chrono::nanoseconds(directives.freeze));
    const Nanos answer_at = counted == nullptr ? arrived : counted->residence.Enter(arrived, index);
    if (answer_at > arrived) {
      timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(answer_at)));
      co_await timer.async_wait(kAwait);
    }
    if (counted != nullptr) counted->residence.Leave();
    const Fault fault = directives.FaultOf(index);
    if (fault == Fault::kHang) {
      ++truth_.faults["hang"];
      parser.release();
      char byte[1];
      co_await stream.async_read_some(asio::buffer(byte), kAwait);  // until the client gives up
      break;
    }
    Response response;
    if (fault == Fault::kNone) {
      response.keep_alive = keep_alive;
      const std::string extra =
          has_seq ? absl::StrCat("X-Residence-Ns: ", MonotonicNow() - arrived, "\r\n") : std::string();
      response.bytes = WellFormed(directives, answer.status, answer.body, is_head, extra, &response.keep_alive);
    } else {
      response = Faulty(fault, answer.body);
      ++truth_.faults[kFaultNames[static_cast<int>(fault)]];
    }
    keep_alive = response.keep_alive;
    const auto [write_error, written] = co_await asio::async_write(stream, asio::buffer(response.bytes), kAwait);
    truth_.bytes_sent += written;
    if (fault == Fault::kReset) {
      co_await Reset(stream.socket());
      co_return;
    }
    if (write_error) break;
    if (response.is_well_formed) {
      ++truth_.answered;
      ++truth_.statuses[answer.status];
      truth_.residence.Record(stream.sent() - arrived);
    }
  }
  error_code ec;
  stream.socket().shutdown(tcp::socket::shutdown_send, ec);
}

}  // namespace tidemark

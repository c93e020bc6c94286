#include "tests/mock_exchange/web_socket.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using tcp = asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxMessage = 16 << 20;

// The first of the subprotocols that the client offers.
std::string ChosenSubprotocol(const http::request<http::string_body>& request) {
  const auto offered = request[http::field::sec_websocket_protocol];
  return std::string(offered.substr(0, offered.find(',')));
}

}  // namespace

// Reads what the client sends, and answers control frames; acks the first message if it is to subscribe.
template <typename Socket>
asio::awaitable<void> ReadAll(Socket& socket, bool* is_subscribed, Nanos* heard, Truth* truth) {
  boost::beast::flat_buffer buffer;
  while (true) {
    const auto [error, size] = co_await socket.async_read(buffer, kAwait);
    if (error) {
      if (socket.reason().code != 0 && truth->first_close == 0) truth->first_close = MonotonicNow();
      if (socket.reason().code != 0)
        ++truth->faults[absl::StrCat("closed by the client: ", static_cast<int>(socket.reason().code))];
      co_return;
    }
    ++truth->parsed;
    truth->AddArrival(MonotonicNow());
    *heard = MonotonicNow();
    buffer.clear();
    if (*is_subscribed) continue;
    const auto [write_error, written] =
        co_await socket.async_write(asio::buffer(absl::string_view("{\"result\":null,\"id\":1}")), kAwait);
    if (write_error) co_return;
    *is_subscribed = true;
  }
}

struct Update {
  Nanos event = 0;  // its time stamp
  std::string text;
};

// The updates of one connection: a diff depth as Binance's, ids in steps of three.
template <typename Socket>
asio::awaitable<void> PushAll(Socket& socket, Directives d, const bool* is_subscribed, Truth* truth) {
  asio::steady_timer timer(socket.get_executor());
  const auto hits = [](std::int64_t every, std::int64_t k) { return every != 0 && k % every == 0; };
  while (!*is_subscribed) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(kAwait);
  }
  socket.text(true);
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t last = 1'000;
  const std::string padding(static_cast<std::size_t>(std::max<std::int64_t>(0, d.body_bytes)), 'x');
  Update held;  // sent after the next one
  for (std::int64_t k = 1; d.stream_count == 0 || k <= d.stream_count; ++k) {
    timer.expires_at(start + std::chrono::nanoseconds(d.stream * k));
    if (const auto [error] = co_await timer.async_wait(kAwait); error) co_return;
    if (hits(d.reset_every, k)) {
      last = 0;
      ++truth->faults["reset"];
    }
    const std::uint64_t first = last + 1;
    last = last == 0 ? 1 : last + 3;
    Nanos event = WallNow();
    if (d.stale != 0 && hits(d.stale_every, k)) event -= d.stale;
    Update update{
        .event = event,
        .text = absl::StrCat("{\"e\":\"depthUpdate\",\"E\":", event / kMillisecond, ",\"T\":", event / kMicrosecond,
                             ",\"s\":\"BTCUSDT\",\"U\":", first, ",\"u\":", last, ",\"pu\":", first - 1, ",\"k\":", k,
                             ",\"b\":[[\"0.0024\",\"10\"]],\"a\":[[\"0.0026\",\"100\"]],\"x\":\"", padding, "\"}")};
    if (hits(d.gap_every, k)) {
      ++truth->faults["gap"];
      continue;
    }
    if (hits(d.swap_every, k) && held.text.empty()) {
      ++truth->faults["swap"];
      held = update;
      continue;
    }
    std::vector<Update> batch = {update};
    if (hits(d.dup_every, k)) {
      ++truth->faults["dup"];
      batch.push_back(update);
    }
    if (!held.text.empty()) batch.push_back(std::exchange(held, {}));
    for (const Update& one : batch) {
      const auto [error, written] = co_await socket.async_write(asio::buffer(one.text), kAwait);
      if (error) co_return;
      ++truth->pushed;
      truth->staleness.Record(WallNow() - one.event);
    }
    // What fell due while the client did not read is left out.
    while (d.must_conflate && start + std::chrono::nanoseconds(d.stream * (k + 2)) < std::chrono::steady_clock::now()) {
      ++k;
      last += 3;
      ++truth->faults["conflated"];
    }
  }
  timer.expires_at(asio::steady_timer::time_point::max());  // the connection stays
  co_await timer.async_wait(kAwait);
}

// Pings, and watches whether the client is heard of.
template <typename Socket>
asio::awaitable<void> KeepAlive(Socket& socket, Directives d, const Nanos* heard, Truth* truth) {
  asio::steady_timer timer(socket.get_executor());
  const Nanos interval = d.ping != 0 ? d.ping : d.need;
  const Nanos limit = d.need != 0 ? d.need : 3 * d.ping;
  while (interval != 0) {
    timer.expires_after(std::chrono::nanoseconds(interval / (d.ping != 0 ? 1 : 4)));
    co_await timer.async_wait(kAwait);
    if (MonotonicNow() - *heard > limit) {
      ++truth->faults["starved"];
      co_await socket.async_close(websocket::close_code::policy_error, kAwait);
      co_return;
    }
    if (d.ping != 0) co_await socket.async_ping("keep", kAwait);
  }
  timer.expires_at(asio::steady_timer::time_point::max());
  co_await timer.async_wait(kAwait);
}

template <typename Stream>
asio::awaitable<void> ServeStream(Stream& stream, const http::request<http::string_body>& request, Directives d,
                                  Truth* truth) {
  using asio::experimental::awaitable_operators::operator||;
  websocket::stream<Stream&> socket(stream);
  const auto [accept_error] = co_await socket.async_accept(request, kAwait);
  if (accept_error) co_return;
  ++truth->upgraded;
  bool is_subscribed = !d.must_subscribe;
  Nanos heard = MonotonicNow();
  socket.control_callback([&heard](websocket::frame_type, boost::beast::string_view) { heard = MonotonicNow(); });
  co_await (ReadAll(socket, &is_subscribed, &heard, truth) || PushAll(socket, d, &is_subscribed, truth) ||
            KeepAlive(socket, d, &heard, truth));
}

template <typename Stream>
asio::awaitable<void> ServeEcho(Stream& stream, const http::request<http::string_body>& request, Residence* residence,
                                Truth* truth) {
  websocket::stream<Stream&> socket(stream);
  socket.read_message_max(kMaxMessage);
  const std::string subprotocol = ChosenSubprotocol(request);
  if (!subprotocol.empty()) {
    socket.set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, subprotocol);
    }));
  }
  const auto [accept_error] = co_await socket.async_accept(request, kAwait);
  if (accept_error) co_return;
  ++truth->upgraded;
  boost::beast::flat_buffer buffer;
  asio::steady_timer timer(stream.get_executor());
  std::int64_t index = 0;
  while (true) {
    const auto [read_error, size] = co_await socket.async_read(buffer, kAwait);
    if (read_error) {
      // Whether or not the client waited for our answer.
      if (socket.reason().code != 0)
        ++truth->faults[absl::StrCat("closed by the client: ", static_cast<int>(socket.reason().code))];
      co_return;
    }
    const Nanos arrived = MonotonicNow();
    ++truth->parsed;
    truth->bytes_received += size;
    truth->AddArrival(arrived);
    const Nanos answer_at = residence == nullptr ? arrived : residence->Enter(arrived, index++);
    if (answer_at > arrived) {
      timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(answer_at)));
      co_await timer.async_wait(kAwait);
    }
    if (residence != nullptr) residence->Leave();
    socket.text(socket.got_text());
    const auto [write_error, written] = co_await socket.async_write(buffer.data(), kAwait);
    if (write_error) co_return;
    truth->bytes_sent += written;
    ++truth->answered;
    truth->residence.Record(MonotonicNow() - arrived);
    buffer.clear();
  }
}

template asio::awaitable<void> ServeStream(tcp::socket&, const http::request<http::string_body>&, Directives, Truth*);
template asio::awaitable<void> ServeStream(asio::ssl::stream<tcp::socket>&, const http::request<http::string_body>&,
                                           Directives, Truth*);
template asio::awaitable<void> ServeEcho(tcp::socket&, const http::request<http::string_body>&, Residence*, Truth*);
template asio::awaitable<void> ServeEcho(asio::ssl::stream<tcp::socket>&, const http::request<http::string_body>&,
                                         Residence*, Truth*);

}  // namespace tidemark

#include "tests/mock_exchange/web_socket.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/mock_exchange/market.h"

namespace tidemark {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr auto kForever = asio::steady_timer::time_point::max();
constexpr std::size_t kMaxMessage = 16 << 20;

// The first of the subprotocols that the client offers.
std::string ChosenSubprotocol(const http::request<http::string_body>& request) {
  const auto offered = request[http::field::sec_websocket_protocol];
  return std::string(offered.substr(0, offered.find(',')));
}

// One connection that is pushed updates.
class Pusher {
 public:
  Pusher(StampedStream& stream, const Directives& directives, Nanos first_stream, Nanos ahead, Truth* truth)
      : socket_(stream),
        d_(directives),
        first_stream_(first_stream),
        ahead_(ahead),
        truth_(*truth),
        wake_(stream.get_executor()),
        alarm_(stream.get_executor()) {}

  asio::awaitable<void> Serve(const http::request<http::string_body>& request) {
    using asio::experimental::awaitable_operators::operator||;
    const auto [accept_error] = co_await socket_.async_accept(request, kAwait);
    if (accept_error) co_return;
    ++truth_.upgraded;
    is_subscribed_ = !d_.must_subscribe && !d_.must_refuse;
    heard_ = MonotonicNow();
    socket_.control_callback([this](websocket::frame_type kind, boost::beast::string_view) {
      if (kind != websocket::frame_type::close) Hear();
    });
    co_await (ReadAll() || PushAll() || KeepAlive() || Heartbeat() || EndLife() || EndFlood());
  }

 private:
  static bool Hits(std::int64_t every, std::int64_t k) { return every != 0 && k % every == 0; }

  // Something has come from the client.
  void Hear() {
    heard_ = MonotonicNow();
    if (d_.client_messages == 0) return;
    recent_.push_back(heard_);
    while (heard_ - recent_.front() > d_.client_window) recent_.pop_front();
    if (static_cast<std::int64_t>(recent_.size()) > d_.client_messages) alarm_.cancel();
  }

  asio::awaitable<void> EndFlood() {
    if (const bool is_there = co_await Alarm(&alarm_, kForever); !is_there) co_return;
    ++truth_.faults["client messages"];
    co_await socket_.async_close(websocket::close_code::policy_error, kAwait);
  }

  // Reads what the client sends; the first message subscribes, if one must.
  asio::awaitable<void> ReadAll() {
    boost::beast::flat_buffer buffer;
    while (true) {
      const auto [error, size] = co_await socket_.async_read(buffer, kAwait);
      if (error) {
        if (socket_.reason().code != 0 && truth_.first_close == 0) truth_.first_close = MonotonicNow();
        if (socket_.reason().code != 0)
          ++truth_.faults[absl::StrCat("closed by the client: ", static_cast<int>(socket_.reason().code))];
        co_return;
      }
      ++truth_.parsed;
      truth_.AddArrival(MonotonicNow());
      Hear();
      const absl::string_view message(static_cast<const char*>(buffer.cdata().data()), buffer.size());
      if (const auto pong = PongOf(d_.family, message)) {
        replies_.push_back(*pong);
      } else if (d_.must_refuse) {
        replies_.push_back(RefusalOf(d_.family, message));
      } else if (d_.must_subscribe) {
        for (std::string& ack : AcksOf(d_.family, message)) replies_.push_back(std::move(ack));
        is_subscribed_ = true;
      }
      wake_.cancel();
      buffer.clear();
    }
  }

  // Writes what answers the client. False if the connection is gone.
  asio::awaitable<bool> Reply() {
    while (!replies_.empty()) {
      const std::string reply = std::move(replies_.front());
      replies_.pop_front();
      const auto [error, written] = co_await socket_.async_write(asio::buffer(reply), kAwait);
      if (error) co_return false;
      ++truth_.replied;
    }
    co_return true;
  }

  // Waits until `instant`, or until the timer is cancelled. False if the connection is over.
  asio::awaitable<bool> Alarm(asio::steady_timer* timer, asio::steady_timer::time_point instant) {
    timer->expires_at(instant);
    co_await timer->async_wait(kAwait);
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() == asio::cancellation_type::none;
  }
  asio::awaitable<bool> Sleep(Nanos length) {
    asio::steady_timer timer(socket_.get_executor());
    const bool is_there = co_await Alarm(
        &timer, length == 0 ? kForever : asio::steady_timer::clock_type::now() + std::chrono::nanoseconds(length));
    co_return is_there;
  }

  // Waits until `instant`, or until there is something to answer, and answers it. False if the connection is gone.
  asio::awaitable<bool> Wait(asio::steady_timer::time_point instant) {
    if (replies_.empty()) {
      if (const bool is_there = co_await Alarm(&wake_, instant); !is_there) co_return false;
    }
    const bool is_there = co_await Reply();
    co_return is_there;
  }
  asio::awaitable<bool> WaitUntil(Nanos instant) {
    do {
      if (const bool is_there = co_await Wait(asio::steady_timer::time_point(std::chrono::nanoseconds(instant)));
          !is_there)
        co_return false;
    } while (MonotonicNow() < instant);
    co_return true;
  }

  struct Message {
    std::uint64_t number = 0;
    Nanos event = 0;  // its time stamp
    std::string base;
    std::string text;
  };

  struct Symbol {
    Update update = {.last = 1'000};
    MockBook book = {};
    Message held = {};  // sent after the next one
    bool has_begun = false;

    void Skip(std::uint64_t count) {
      update.count += count;
      update.last += 3 * count;
    }
  };
  // Update number `k` is that of one symbol after the other.
  Symbol& SymbolOf(std::int64_t k, std::vector<Symbol>* symbols) {
    return (*symbols)[static_cast<std::size_t>((k - 1) % d_.symbols)];
  }
  // As they are before update number `k`.
  std::vector<Symbol> SymbolsAt(std::int64_t k) const {
    std::vector<Symbol> symbols(static_cast<std::size_t>(d_.symbols));
    for (std::int64_t i = 0; i < d_.symbols; ++i) {
      Symbol& symbol = symbols[static_cast<std::size_t>(i)];
      if (i > 0) symbol.update.base = absl::StrCat("C", i);
      symbol.Skip(static_cast<std::uint64_t>((k - 1 + d_.symbols - 1 - i) / d_.symbols));
    }
    return symbols;
  }

  Message Make(std::int64_t k, Nanos engine, const std::string& padding, Symbol* symbol) {
    Update& update = symbol->update;
    if (Hits(d_.reset_every, k)) {
      update.last = 0;
      update.count = 0;
      ++truth_.faults["reset"];
    }
    update.previous = update.last;
    update.first = update.last + 1;
    update.last = update.last == 0 ? 1 : update.last + 3;
    ++update.count;
    update.is_snapshot = !std::exchange(symbol->has_begun, true) || Hits(d_.snapshot_every, k);
    update.engine = engine;
    if (d_.stale != 0 && Hits(d_.stale_every, k)) update.engine -= d_.stale;
    MockBook::Change change;
    std::uint32_t checksum = 0;
    if (d_.family == Family::kKraken) {
      change = symbol->book.Next(update.count);
      if (update.is_snapshot) change = symbol->book.Snapshot();
      checksum = symbol->book.Checksum();
    }
    Message message{.number = static_cast<std::uint64_t>(k), .event = update.engine, .base = update.base, .text = ""};
    if (Hits(d_.checksum_every, k)) {
      checksum ^= 1;
      CountFault("checksum", message);
    }
    message.text = TextOf(d_.family, d_.feed, update, change, checksum, padding);
    return message;
  }

  asio::awaitable<bool> Push(const Message& message) {
    // Asio writes at once what the kernel takes; its completion waits behind the writes of all other connections.
    const Nanos now = WallNow() + ahead_;
    const auto [error, written] = co_await socket_.async_write(asio::buffer(message.text), kAwait);
    if (error) co_return false;
    ++truth_.pushed;
    ++truth_.pushed_by_base[message.base];
    truth_.staleness.Record(now - message.event);
    if (Truth::Event* const event = Common(message)) {
      if (event->sends++ == 0) event->first_send = now;
      event->last_send = now;
    }
    co_return true;
  }

  // The record of a common update; null if there is none.
  Truth::Event* Common(const Message& message) {
    if (!d_.is_common || (truth_.events.size() >= Truth::kMaxEvents && !truth_.events.contains(message.number)))
      return nullptr;
    Truth::Event& event = truth_.events[message.number];
    event.engine = message.event;
    return &event;
  }

  void CountFault(const char* name, const Message& message) {
    ++truth_.faults[name];
    if (Truth::Event* const event = Common(message)) event->fault = name;
  }

  // Updates number `k` and on.
  asio::awaitable<void> PushAll() {
    while (!is_subscribed_) {
      if (const bool is_there = co_await Wait(kForever); !is_there) co_return;
    }
    socket_.text(true);
    const Nanos start = d_.is_common ? first_stream_ : MonotonicNow();
    const Nanos wall = WallNow() - MonotonicNow() + ahead_;
    const std::string padding(static_cast<std::size_t>(std::max<std::int64_t>(0, d_.body_bytes)), 'x');
    std::int64_t k = d_.is_common ? (MonotonicNow() - start) / d_.stream + 1 : 1;
    std::vector<Symbol> symbols = SymbolsAt(k);
    for (; d_.stream_count == 0 || k <= d_.stream_count; ++k) {
      const Nanos due = start + d_.stream * k;
      if (const bool is_there = co_await WaitUntil(due); !is_there) co_return;
      if (d_.max_lag != 0 && MonotonicNow() - due > d_.max_lag) {
        ++truth_.faults["slow"];
        co_await socket_.async_close(websocket::close_code(4005), kAwait);
        co_return;
      }
      Symbol& symbol = SymbolOf(k, &symbols);
      const Message message = Make(k, d_.is_common ? wall + due : WallNow() + ahead_, padding, &symbol);
      if (Hits(d_.gap_every, k)) {
        CountFault("gap", message);
        continue;
      }
      if (Hits(d_.swap_every, k) && symbol.held.text.empty()) {
        CountFault("swap", message);
        symbol.held = message;
        continue;
      }
      if (const bool is_there = co_await Push(message); !is_there) co_return;
      if (Hits(d_.dup_every, k)) {
        CountFault("dup", message);
        if (const bool is_there = co_await Push(message); !is_there) co_return;
      }
      if (!symbol.held.text.empty()) {
        const Message late = std::exchange(symbol.held, {});
        if (const bool is_there = co_await Push(late); !is_there) co_return;
      }
      // What fell due while the client did not read is left out; a standstill of our own is shorter.
      const bool is_stuck = d_.must_conflate && MonotonicNow() - due > 100 * kMillisecond;
      while (is_stuck && start + d_.stream * (k + 2) < MonotonicNow()) {
        SymbolOf(++k, &symbols).Skip(1);
        ++truth_.faults["conflated"];
      }
    }
    while (true) {  // the connection stays
      if (const bool is_there = co_await Wait(kForever); !is_there) co_return;
    }
  }

  // Pings, and watches whether the client is heard of.
  asio::awaitable<void> KeepAlive() {
    const Nanos interval = d_.ping != 0 ? d_.ping : d_.need / 4;
    const Nanos limit = d_.need != 0 ? d_.need : 3 * d_.ping;
    while (true) {
      if (const bool is_there = co_await Sleep(interval); !is_there) co_return;
      if (MonotonicNow() - heard_ > limit) {
        ++truth_.faults["starved"];
        co_await socket_.async_close(
            d_.family == Family::kOkx ? websocket::close_reason(websocket::close_code(4004), "No data received in 30s.")
                                      : websocket::close_reason(websocket::close_code::policy_error),
            kAwait);
        co_return;
      }
      if (d_.ping != 0) co_await socket_.async_ping("keep", kAwait);
    }
  }

  asio::awaitable<void> Heartbeat() {
    while (true) {
      if (const bool is_there = co_await Sleep(d_.heartbeat); !is_there) co_return;
      replies_.push_back(R"({"channel":"heartbeat"})");
      wake_.cancel();
    }
  }

  // Says that the connection will be closed, and closes it, when its life is over.
  asio::awaitable<void> EndLife() {
    if (const bool is_there = co_await Sleep(d_.life - d_.notice); !is_there) co_return;
    replies_.push_back(NoticeOf(d_.family));
    wake_.cancel();
    if (const bool is_there = co_await Sleep(d_.notice); !is_there) co_return;
    ++truth_.faults["life"];
    co_await socket_.async_close(websocket::close_code::going_away, kAwait);
  }

  websocket::stream<StampedStream&> socket_;
  const Directives d_;
  const Nanos first_stream_;
  const Nanos ahead_;
  Truth& truth_;
  asio::steady_timer wake_;   // of PushAll; cancelled when there is something to answer
  asio::steady_timer alarm_;  // cancelled when the client sends too much
  std::deque<Nanos> recent_;  // when it sent
  std::deque<std::string> replies_;
  bool is_subscribed_ = false;
  Nanos heard_ = 0;
};

}  // namespace

asio::awaitable<void> ServeStream(StampedStream& stream, const http::request<http::string_body>& request,
                                  Directives directives, Nanos first_stream, Nanos ahead, Truth* truth) {
  Pusher pusher(stream, directives, first_stream, ahead, truth);
  co_await pusher.Serve(request);
}

asio::awaitable<void> ServeEcho(StampedStream& stream, const http::request<http::string_body>& request,
                                Residence* residence, Truth* truth) {
  websocket::stream<StampedStream&> socket(stream);
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
    const Nanos arrived = stream.received();
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
    truth->residence.Record(stream.sent() - arrived);
    buffer.clear();
  }
}

}  // namespace tidemark

#include "tests/mock_exchange/web_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <string>

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

template asio::awaitable<void> ServeEcho(tcp::socket&, const http::request<http::string_body>&, Residence*, Truth*);
template asio::awaitable<void> ServeEcho(asio::ssl::stream<tcp::socket>&, const http::request<http::string_body>&,
                                         Residence*, Truth*);

}  // namespace tidemark

// A WebSocket client as Boost.Beast's examples teach it: websocket::stream over tcp_stream with the suggested
// time-outs, a chain of handlers per connection, the next message sent when the last is echoed. What tidemark is
// measured beside. Usage: PORT CONNECTIONS SECONDS. Prints "MESSAGES messages".
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Clock = std::chrono::steady_clock;

const std::string kMessage(64, 'x');

class Client {
 public:
  Client(asio::io_context* io, Clock::time_point end) : stream_(*io), end_(end) {}

  void Start(const asio::ip::tcp::endpoint& target) {
    beast::get_lowest_layer(stream_).expires_after(std::chrono::seconds(30));
    beast::get_lowest_layer(stream_).async_connect(target, [this](beast::error_code ec) {
      if (ec) std::exit(1);
      beast::get_lowest_layer(stream_).expires_never();
      beast::get_lowest_layer(stream_).socket().set_option(asio::ip::tcp::no_delay(true));
      stream_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::client));
      stream_.async_handshake("127.0.0.1", "/ws", [this](beast::error_code error) {
        if (error) std::exit(1);
        Write();
      });
    });
  }
  std::uint64_t done() const { return done_; }

 private:
  void Write() {
    if (Clock::now() >= end_) return beast::get_lowest_layer(stream_).close();
    stream_.async_write(asio::buffer(kMessage), [this](beast::error_code ec, std::size_t) {
      if (ec) std::exit(1);
      Read();
    });
  }
  void Read() {
    stream_.async_read(buffer_, [this](beast::error_code ec, std::size_t) {
      if (ec) std::exit(1);
      buffer_.clear();
      ++done_;
      Write();
    });
  }

  websocket::stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  const Clock::time_point end_;
  std::uint64_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 1;
  asio::io_context io(1);
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(static_cast<int>(std::atof(argv[3]) * 1000));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    clients.push_back(std::make_unique<Client>(&io, end));
    clients.back()->Start({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::atoi(argv[1]))});
  }
  io.run();
  std::uint64_t messages = 0;
  for (const auto& client : clients) messages += client->done();
  std::printf("%llu messages\n", static_cast<unsigned long long>(messages));
  return 0;
}

// An HTTP client as Boost.Beast's examples teach it: tcp_stream with a deadline per operation, a string_body, a fresh
// request each time, one coroutine-free chain of handlers per connection. What tidemark is measured beside.
// Usage: PORT CONNECTIONS SECONDS. Prints "REQUESTS requests".
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Clock = std::chrono::steady_clock;

class Client {
 public:
  Client(asio::io_context* io, Clock::time_point end) : stream_(*io), end_(end) {}

  void Start(const asio::ip::tcp::endpoint& target) {
    stream_.expires_after(std::chrono::seconds(30));
    stream_.async_connect(target, [this](beast::error_code ec) {
      if (ec) std::exit(1);
      stream_.socket().set_option(asio::ip::tcp::no_delay(true));
      Request();
    });
  }
  std::uint64_t done() const { return done_; }

 private:
  void Request() {
    if (Clock::now() >= end_) return;
    request_ = {http::verb::get, "/", 11};
    request_.set(http::field::host, "127.0.0.1:12345");
    request_.set(http::field::user_agent, "tidemark/" TIDEMARK_VERSION);
    stream_.expires_after(std::chrono::seconds(30));
    http::async_write(stream_, request_, [this](beast::error_code ec, std::size_t) {
      if (ec) std::exit(1);
      Response();
    });
  }
  void Response() {
    response_ = {};
    http::async_read(stream_, buffer_, response_, [this](beast::error_code ec, std::size_t) {
      if (ec) std::exit(1);
      ++done_;
      Request();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
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
  std::uint64_t requests = 0;
  for (const auto& client : clients) requests += client->done();
  std::printf("%llu requests\n", static_cast<unsigned long long>(requests));
  return 0;
}

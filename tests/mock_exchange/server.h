// The mock's connections: one Beast coroutine each, plain or TLS, on one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "tests/mock_exchange/residence.h"
#include "tests/mock_exchange/stamped_stream.h"
#include "tests/mock_exchange/truth.h"

namespace tidemark {

// Serves until its io_context stops. Threads: the one that runs the io_context.
class MockServer {
 public:
  // `ahead`: what its clock shows more than the machine's. `max_arrivals`: whose instants are kept.
  explicit MockServer(boost::asio::io_context* io, Nanos ahead = 0, std::size_t max_arrivals = Truth::kArrivalsKept)
      : io_(*io), ahead_(ahead), truth_(max_arrivals) {}

  // Binds and starts accepting; returns the port. `tls` null for plain.  Throws boost::system::system_error.
  std::uint16_t Listen(const std::string& host, std::uint16_t port, boost::asio::ssl::context* tls);

 private:
  struct Counted {
    explicit Counted(const Directives& asked) : directives(asked), residence(asked) {}
    Directives directives;
    Residence residence;
    std::int64_t arrivals = 0;
    std::deque<Nanos> upgrades = {};  // of the last second, if their rate is limited
    Nanos first_stream = 0;           // when the first stream began; 0: none has
  };

  boost::asio::awaitable<void> Accept(boost::asio::ip::tcp::acceptor acceptor, boost::asio::ssl::context* tls);
  boost::asio::awaitable<void> Serve(StampedStream stream);
  // Null if the directives cannot be parsed.
  std::shared_ptr<Counted> Find(const std::string& directives);

  boost::asio::io_context& io_;
  const Nanos ahead_;
  std::map<std::string, std::shared_ptr<Counted>> counted_;  // shared with the requests inside
  Truth truth_;
};

}  // namespace tidemark

// The mock's end of a TCP connection, which knows when what it reads came to its machine.
#pragma once

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cerrno>
#include <type_traits>
#include <utility>

#include "agent/stamped_socket.h"
#include "common/clock.h"

namespace tidemark {

// As the socket in it, but that the kernel's stamp is read with what was received, so that what lies unread because the
// mock itself is behind counts as the mock's time. Threads: the one that runs the io_context.
class StampedStream {
  using tcp = boost::asio::ip::tcp;
  using error_code = boost::system::error_code;

 public:
  using executor_type = tcp::socket::executor_type;
  using lowest_layer_type = tcp::socket::lowest_layer_type;

  explicit StampedStream(tcp::socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    EnableStamps(socket_.native_handle());
  }

  executor_type get_executor() { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }
  const lowest_layer_type& lowest_layer() const { return socket_.lowest_layer(); }
  tcp::socket& socket() { return socket_; }

  // When the last byte that was read came from the driver, on the monotonic clock.
  Nanos received() const { return received_; }
  // When the last byte that was written was given to the kernel: just before.
  Nanos sent() const { return sent_; }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return Compose(std::forward<Token>(token), tcp::socket::wait_read,
                   [this, buffers](error_code* ec) { return Read(buffers, ec); });
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return Compose(std::forward<Token>(token), tcp::socket::wait_write,
                   [this, buffers](error_code* ec) { return Write(buffers, ec); });
  }

 private:
  // Tries, and waits for the socket to be `ready` where that would block.
  template <typename Token, typename Try>
  auto Compose(Token&& token, tcp::socket::wait_type ready, Try attempt) {
    return boost::asio::async_compose<Token, void(error_code, std::size_t)>(
        [this, ready, attempt, is_begun = false, is_over = false, size = std::size_t{0}, result = error_code()](
            auto& self, error_code ec = {}) mutable {
          if (is_over) return self.complete(result, size);
          if (ec) return self.complete(ec, 0);
          size = attempt(&result);
          if (result == boost::asio::error::would_block) {
            is_begun = true;
            result = {};
            return socket_.async_wait(ready, std::move(self));
          }
          if (is_begun) return self.complete(result, size);
          is_over = true;  // no handler is called from within what starts it
          boost::asio::post(socket_.get_executor(), std::move(self));
        },
        token, socket_);
  }

  template <typename Buffers>
  std::size_t Read(const Buffers& buffers, error_code* ec) {
    for (auto i = boost::asio::buffer_sequence_begin(buffers); i != boost::asio::buffer_sequence_end(buffers); ++i) {
      const boost::asio::mutable_buffer buffer(*i);
      if (buffer.size() == 0) continue;
      Nanos stamp = 0;
      const ssize_t n = ReceiveStamped(socket_.native_handle(), buffer.data(), buffer.size(), &stamp);
      *ec = n < 0    ? error_code(errno == EINTR ? EAGAIN : errno, boost::system::system_category())
            : n == 0 ? error_code(boost::asio::error::eof)
                     : error_code();
      if (n <= 0) return 0;
      const Nanos now = MonotonicNow();
      received_ = stamp == 0 ? now : now - std::max<Nanos>(0, WallNow() - stamp);
      return static_cast<std::size_t>(n);
    }
    *ec = {};
    return 0;
  }

  template <typename Buffers>
  std::size_t Write(const Buffers& buffers, error_code* ec) {
    sent_ = MonotonicNow();
    return socket_.write_some(buffers, *ec);
  }

  tcp::socket socket_;
  Nanos received_ = 0;
  Nanos sent_ = 0;
};

inline StampedStream& StampsOf(StampedStream& stream) { return stream; }
inline StampedStream& StampsOf(boost::asio::ssl::stream<StampedStream>& stream) { return stream.next_layer(); }

// How Beast ends a WebSocket on it, and closes it.
inline void beast_close_socket(StampedStream& stream) {
  boost::system::error_code ignored;
  stream.socket().close(ignored);
}
inline void teardown(boost::beast::role_type role, StampedStream& stream, boost::beast::error_code& ec) {
  boost::beast::websocket::teardown(role, stream.socket(), ec);
}
template <typename Handler>
void async_teardown(boost::beast::role_type role, StampedStream& stream, Handler&& handler) {
  boost::beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
}

}  // namespace tidemark

// The mock's end of a TCP connection, which knows when what it reads came to its machine.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "agent/net/stamped_socket.h"
#include "common/clock.h"

namespace tidemark {

// As the socket in it, plain or with TLS, but that the kernel's stamp is read with what was received, so that what lies
// unread because the mock itself is behind counts as the mock's time. One type for both: what Beast makes of a stream
// is a minute of compilation. Threads: the one that runs the io_context.
class StampedStream {
  using tcp = boost::asio::ip::tcp;
  using error_code = boost::system::error_code;

 public:
  using executor_type = tcp::socket::executor_type;
  using lowest_layer_type = tcp::socket::lowest_layer_type;

  // `tls`: null for a plain one.
  StampedStream(tcp::socket socket, SSL_CTX* tls) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    EnableStamps(socket_.native_handle());
    if (tls != nullptr) tls_ = std::make_unique<Tls>(socket_.native_handle(), tls);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }
  const lowest_layer_type& lowest_layer() const { return socket_.lowest_layer(); }
  tcp::socket& socket() { return socket_; }

  // When the last byte that was read came from the driver, on the monotonic clock.
  Nanos received() const { return received_; }
  // When the last byte that was written was given to the kernel: just before.
  Nanos sent() const { return sent_; }

  bool is_tls() const { return tls_ != nullptr; }
  // Of the server, before anything else.  REQUIRES: is_tls().
  template <typename Token>
  auto async_handshake(Token&& token) {
    return Compose(std::forward<Token>(token), [this](error_code* ec) { return Of(SSL_accept(tls_->ssl), ec); });
  }
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return Compose(std::forward<Token>(token), [this, buffers](error_code* ec) { return Read(buffers, ec); });
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return Compose(std::forward<Token>(token), [this, buffers](error_code* ec) { return Write(buffers, ec); });
  }

  // Says that nothing more will come, where TLS has a word for it.
  void Farewell() {
    if (tls_ == nullptr) return;
    ERR_clear_error();
    SSL_shutdown(tls_->ssl);
  }

 private:
  struct Tls {
    Tls(int fd, SSL_CTX* context) : ssl(SSL_new(context)) {
      socket.fd = fd;
      socket.received_at = &stamp;
      if (ssl == nullptr || !socket.Attach(ssl)) throw std::bad_alloc();
      SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    ~Tls() { SSL_free(ssl); }
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    StampedSocket socket;
    Nanos stamp = 0;
    SSL* ssl;
  };

  // What came of an attempt: bytes, or, with would_block, what to wait for.
  struct Tried {
    std::size_t size = 0;
    tcp::socket::wait_type wait_for = tcp::socket::wait_read;
  };

  // Tries, and waits where that would block.
  template <typename Token, typename Try>
  auto Compose(Token&& token, Try attempt) {
    return boost::asio::async_compose<Token, void(error_code, std::size_t)>(
        [this, attempt, is_begun = false, is_over = false, tried = Tried(), result = error_code()](
            auto& self, error_code ec = {}) mutable {
          if (is_over) return self.complete(result, tried.size);
          if (ec) return self.complete(ec, 0);
          tried = attempt(&result);
          if (result == boost::asio::error::would_block) {
            is_begun = true;
            result = {};
            return socket_.async_wait(tried.wait_for, std::move(self));
          }
          if (is_begun) return self.complete(result, tried.size);
          is_over = true;  // no handler is called from within what starts it
          boost::asio::post(socket_.get_executor(), std::move(self));
        },
        token, socket_);
  }

  // Of a call of OpenSSL.
  Tried Of(int n, error_code* ec) {
    *ec = {};
    if (n > 0) return {.size = static_cast<std::size_t>(n)};
    switch (SSL_get_error(tls_->ssl, n)) {
      case SSL_ERROR_WANT_READ:
        *ec = boost::asio::error::would_block;
        return {};
      case SSL_ERROR_WANT_WRITE:
        *ec = boost::asio::error::would_block;
        return {.wait_for = tcp::socket::wait_write};
      case SSL_ERROR_SSL:
        *ec = error_code(static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category());
        return {};
      default:
        *ec = boost::asio::error::eof;
        return {};
    }
  }

  template <typename Buffers>
  Tried Read(const Buffers& buffers, error_code* ec) {
    for (auto i = boost::asio::buffer_sequence_begin(buffers); i != boost::asio::buffer_sequence_end(buffers); ++i) {
      const boost::asio::mutable_buffer buffer(*i);
      if (buffer.size() == 0) continue;
      return tls_ == nullptr ? ReadPlain(buffer, ec) : ReadTls(buffer, ec);
    }
    *ec = {};
    return {};
  }
  Tried ReadPlain(const boost::asio::mutable_buffer& buffer, error_code* ec) {
    Nanos stamp = 0;
    const ssize_t n = ReceiveStamped(socket_.native_handle(), buffer.data(), buffer.size(), &stamp);
    *ec = n < 0    ? error_code(errno == EINTR ? EAGAIN : errno, boost::system::system_category())
          : n == 0 ? error_code(boost::asio::error::eof)
                   : error_code();
    if (n <= 0) return {};
    TakeStamp(stamp);
    return {.size = static_cast<std::size_t>(n)};
  }
  Tried ReadTls(const boost::asio::mutable_buffer& buffer, error_code* ec) {
    ERR_clear_error();
    tls_->stamp = 0;
    const Tried tried = Of(SSL_read(tls_->ssl, buffer.data(), static_cast<int>(buffer.size())), ec);
    if (!*ec) TakeStamp(tls_->stamp);
    return tried;
  }
  void TakeStamp(Nanos stamp) {
    Nanos now = MonotonicNow();
    Nanos wall = WallNow();
    // Who is interrupted between the two clocks takes them again.
    for (int i = 0; i < 3 && MonotonicNow() - now > 5 * kMicrosecond; ++i) {
      now = MonotonicNow();
      wall = WallNow();
    }
    received_ = stamp == 0 ? now : now - std::max<Nanos>(0, wall - stamp);
  }

  template <typename Buffers>
  Tried Write(const Buffers& buffers, error_code* ec) {
    sent_ = MonotonicNow();
    if (tls_ == nullptr) return {.size = socket_.write_some(buffers, *ec), .wait_for = tcp::socket::wait_write};
    for (auto i = boost::asio::buffer_sequence_begin(buffers); i != boost::asio::buffer_sequence_end(buffers); ++i) {
      const boost::asio::const_buffer buffer(*i);
      if (buffer.size() == 0) continue;
      ERR_clear_error();
      return Of(SSL_write(tls_->ssl, buffer.data(), static_cast<int>(buffer.size())), ec);
    }
    *ec = {};
    return {};
  }

  tcp::socket socket_;
  std::unique_ptr<Tls> tls_;  // null on a plain one
  Nanos received_ = 0;
  Nanos sent_ = 0;
};

// How Beast ends a WebSocket on it, and closes it.
inline void beast_close_socket(StampedStream& stream) {
  boost::system::error_code ignored;
  stream.socket().close(ignored);
}
inline void teardown(boost::beast::role_type role, StampedStream& stream, boost::beast::error_code& ec) {
  stream.Farewell();
  boost::beast::websocket::teardown(role, stream.socket(), ec);
}
template <typename Handler>
void async_teardown(boost::beast::role_type role, StampedStream& stream, Handler&& handler) {
  stream.Farewell();
  boost::beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
}

}  // namespace tidemark

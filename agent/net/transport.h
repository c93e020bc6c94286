// A non-blocking stream to the target: TCP or a Unix socket, plain or TLS.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "agent/host/socket_address.h"
#include "agent/net/stamped_socket.h"
#include "common/clock.h"

namespace tidemark {

// What an operation did. `error` is an errno value; EPROTO stands for an alert of the peer's, EBADMSG for what is
// no TLS.
struct IoResult {
  // kHeldBack: nothing was tried, see Lifecycle::MaySend
  enum class Kind : unsigned char { kDone, kWantRead, kWantWrite, kClosed, kFailed, kHeldBack };
  Kind kind = Kind::kDone;
  int error = 0;
  std::size_t bytes = 0;
};

// Whether bytes that should be HTTP begin a record of TLS: an alert or a handshake message, of version 3.x (RFC 8446
// section 5.1).
inline bool IsTlsRecord(absl::string_view bytes) {
  return bytes.size() >= 2 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 0x03;
}

// Owns one descriptor and, for TLS, one SSL object that reads the descriptor through a BIO of ours: measured cheaper in
// memory than memory BIOs and equal in time. Threads: one.
class Transport {
 public:
  Transport() = default;
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Starts connecting; kWantWrite while it is under way. `source` may be null. kWantRead: the accept queue of a Unix
  // socket is full, of whose room no event tells; there is no descriptor then.
  IoResult Connect(const SocketAddress& target, const SocketAddress* source);
  // To be called when the descriptor is writable after Connect: says how it ended.
  IoResult FinishConnect();

  // Performs the TLS handshake as far as it goes, resuming the session of the connection before, if there
  // was one and `context` resumes. `server_name` is sent (SNI) unless empty.
  IoResult Handshake(SSL_CTX* context, const std::string& server_name);

  // After a handshake that failed: whether what came is an HTTP response.
  bool IsPlainHttp() const { return is_plain_http_; }

  // Before anything was sent over TCP: how often the SYN was sent again.
  std::uint64_t SynRetransmits() const;

  // After the handshake: whether it resumed an earlier session.
  bool IsResumed() const { return SSL_session_reused(ssl_) == 1; }

  // Sends what the kernel takes, at most all of `bytes`. Past libc, as Receive: its send and recv are cancellation
  // points, which in a process with threads costs each call two atomic operations and 30 instructions.
  IoResult Send(absl::string_view bytes) {
    if (ssl_ != nullptr) return SendTls(bytes);
    const ssize_t n =
        syscall(SYS_sendto, fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, socklen_t{0});
    if (n >= 0) return {.bytes = static_cast<std::size_t>(n)};
    return FailedWith(IoResult::Kind::kWantWrite);
  }
  // Receives what is there into `buffer`.
  IoResult Receive(char* buffer, std::size_t size) {
    if (ssl_ != nullptr) return ReceiveTls(buffer, size);
    const ssize_t n = syscall(SYS_recvfrom, fd_, buffer, size, MSG_DONTWAIT, nullptr, nullptr);
    if (n > 0) return {.bytes = static_cast<std::size_t>(n)};
    if (n == 0) return {.kind = IoResult::Kind::kClosed};
    return FailedWith(IoResult::Kind::kWantRead);
  }

  // Without TLS: what is there, into `buffer`, which Receive will give again.
  IoResult Peek(char* buffer, std::size_t size) const;

  // Kernel time stamps of a TCP socket, on the wall clock (agent/net/stamped_socket).
  //
  // Asks the kernel to stamp what this socket receives; false if it cannot.
  bool EnableStamps() { return tidemark::EnableStamps(fd_); }
  // As Send; the kernel stamps the moment at which the last byte goes to the driver.
  IoResult SendWithStamp(absl::string_view bytes);
  // As Receive; *instant becomes the moment at which the last segment read came from the driver, if it is known.
  IoResult ReceiveWithStamp(char* buffer, std::size_t size, Nanos* instant);
  // Takes the stamps of sends off the error queue; false if there is none. *instant, if it is 0, becomes the first of
  // them from `since` on.
  bool TakeSendStamp(Nanos since, Nanos* instant) { return tidemark::TakeSendStamp(fd_, since, instant); }

  void Close();

  int fd() const { return fd_; }
  // The port that it is connected from; 0: it has none.
  std::uint16_t LocalPort() const;
  // Whether the target's side has accepted the connection, as far as the kernel knows.
  bool IsAccepted() const;
  // The number of the alert with which the peer has ended TLS, during the handshake or after it; nothing if it has not.
  // To be asked before Close.
  std::optional<int> Alert() const;
  // TLS, after a response: whether there may be more to be read that no event tells of: bytes, or the peer's
  // close_notify, that were read from the descriptor and not given out; or, once, what came with the first response if
  // the event had told of the session tickets before it.
  bool MayHoldMore() {
    if (!is_tls()) return false;
    return std::exchange(is_fresh_, false) || SSL_has_pending(ssl_) == 1 ||
           (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  // After kClosed: whether TLS was not ended by close_notify, so that more may have been meant to come.
  bool IsCut() const { return ssl_ != nullptr && (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) == 0; }
  bool is_tls() const { return ssl_ != nullptr; }
  // Why the handshake failed, in words: the verification error if there is one, else OpenSSL's reason.
  std::string TlsError() const;

 private:
  IoResult SendTls(absl::string_view bytes);
  IoResult ReceiveTls(char* buffer, std::size_t size);
  IoResult TlsResult(int result) const;
  IoResult ReadWhy(IoResult failed);
  void KeepSession();
  static void OnRecord(int is_write, int version, int type, const void* bytes, std::size_t size, SSL*, void* transport);
  static IoResult FailedWith(IoResult::Kind would_block);

  int fd_ = -1;
  SSL* ssl_ = nullptr;
  StampedSocket socket_;            // through which it reads and writes
  SSL_SESSION* session_ = nullptr;  // to be resumed by the next connection
  bool is_fresh_ = false;           // TLS: no response has been read
  bool is_plain_http_ = false;      // TLS: what came is no record, but an HTTP response
};

}  // namespace tidemark

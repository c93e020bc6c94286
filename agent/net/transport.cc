#include "agent/net/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/net/tls.h"

namespace tidemark {

IoResult Transport::FailedWith(IoResult::Kind would_block) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {.kind = would_block};
  return {.kind = IoResult::Kind::kFailed, .error = errno};
}

IoResult Transport::Connect(const SocketAddress& target, const SocketAddress* source) {
  fd_ = socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return {.kind = IoResult::Kind::kFailed, .error = errno};
  const int one = 1;
  if (target.family() != AF_UNIX) setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (source != nullptr) {
    // The port is chosen at connect, when the destination is known: one source then serves 28k ports per destination.
    setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd_, source->get(), source->length) != 0) return {.kind = IoResult::Kind::kFailed, .error = errno};
  }
  if (connect(fd_, target.get(), target.length) == 0) return {};
  if (errno == EINPROGRESS) return {.kind = IoResult::Kind::kWantWrite};
  if (errno == EAGAIN && target.family() == AF_UNIX) {
    Close();
    return {.kind = IoResult::Kind::kWantRead};
  }
  return {.kind = IoResult::Kind::kFailed, .error = errno};
}

IoResult Transport::Peek(char* buffer, std::size_t size) const {
  const ssize_t n = recv(fd_, buffer, size, MSG_PEEK | MSG_DONTWAIT);
  if (n > 0) return {.bytes = static_cast<std::size_t>(n)};
  if (n == 0) return {.kind = IoResult::Kind::kClosed};
  return FailedWith(IoResult::Kind::kWantRead);
}

std::uint64_t Transport::SynRetransmits() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_total_retrans : 0;
}

// Sees the head of each record while the handshake lasts, as OpenSSL does not keep those that are none.
void Transport::OnRecord(int is_write, int /*version*/, int type, const void* bytes, std::size_t size, SSL* /*ssl*/,
                         void* transport) {
  if (is_write != 0 || type != SSL3_RT_HEADER) return;
  const absl::string_view head(static_cast<const char*>(bytes), size);
  if (head == "HTTP/") static_cast<Transport*>(transport)->is_plain_http_ = true;
}

IoResult Transport::FinishConnect() {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0) return {};
  return {.kind = IoResult::Kind::kFailed, .error = error};
}

IoResult Transport::Handshake(SSL_CTX* context, const std::string& server_name) {
  if (ssl_ == nullptr) {
    ssl_ = SSL_new(context);
    if (ssl_ == nullptr) return {.kind = IoResult::Kind::kFailed, .error = ENOMEM};
    socket_ = {.fd = fd_};
    if (!socket_.Attach(ssl_)) return {.kind = IoResult::Kind::kFailed, .error = ENOMEM};
    SSL_set_connect_state(ssl_);
    if (session_ != nullptr && ResumesSessions(context)) SSL_set_session(ssl_, session_);
    is_plain_http_ = false;
    SSL_set_msg_callback(ssl_, OnRecord);
    SSL_set_msg_callback_arg(ssl_, this);
    if (!server_name.empty()) SSL_set_tlsext_host_name(ssl_, server_name.c_str());
  }
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    is_fresh_ = true;
    SSL_set_msg_callback(ssl_, nullptr);
    return {};
  }
  IoResult io = TlsResult(result);
  if (io.kind == IoResult::Kind::kClosed) io = {.kind = IoResult::Kind::kFailed, .error = ECONNRESET};
  return io;
}

IoResult Transport::TlsResult(int result) const {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {.kind = IoResult::Kind::kWantRead};
    case SSL_ERROR_WANT_WRITE:
      return {.kind = IoResult::Kind::kWantWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {.kind = IoResult::Kind::kClosed};
    case SSL_ERROR_SYSCALL:
      return errno == 0 ? IoResult{.kind = IoResult::Kind::kClosed}
                        : IoResult{.kind = IoResult::Kind::kFailed, .error = errno};
    default:
      // A peer that closes TCP without close_notify, as many servers do: see IsCut.
      if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return {.kind = IoResult::Kind::kClosed};
      // It said why it ends, or what it sent is no TLS.
      return {.kind = IoResult::Kind::kFailed, .error = Alert() ? EPROTO : EBADMSG};
  }
}

IoResult Transport::SendTls(absl::string_view bytes) {
  errno = 0;
  std::size_t sent = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
  if (result == 1) [[likely]]
    return {.bytes = sent};
  const IoResult io = TlsResult(result);
  return io.kind == IoResult::Kind::kFailed ? ReadWhy(io) : io;
}

namespace {

// Reads after a failed write: a peer that goes on sending is not waited for.
constexpr int kMaxUnread = 64;

}  // namespace

// A write has failed. The peer may have said why before: an alert that lies unread, behind little else.
IoResult Transport::ReadWhy(IoResult failed) {
  char unread[1024];
  for (int reads = 0; !Alert() && reads < kMaxUnread; ++reads) {
    if (ReceiveTls(unread, sizeof unread).kind != IoResult::Kind::kDone) break;
  }
  return failed;
}

IoResult Transport::ReceiveTls(char* buffer, std::size_t size) {
  errno = 0;
  std::size_t received = 0;
  const int result = SSL_read_ex(ssl_, buffer, size, &received);
  return result == 1 ? IoResult{.bytes = received} : TlsResult(result);
}

IoResult Transport::SendWithStamp(absl::string_view bytes) {
  if (ssl_ != nullptr) {
    socket_.stamps_sends = true;
    const IoResult io = SendTls(bytes);
    socket_.stamps_sends = false;
    return io;
  }
  const ssize_t n = SendStamped(fd_, bytes.data(), bytes.size());
  if (n >= 0) return {.bytes = static_cast<std::size_t>(n)};
  return FailedWith(IoResult::Kind::kWantWrite);
}

IoResult Transport::ReceiveWithStamp(char* buffer, std::size_t size, Nanos* instant) {
  if (ssl_ != nullptr) {
    socket_.received_at = instant;
    const IoResult io = ReceiveTls(buffer, size);
    socket_.received_at = nullptr;
    return io;
  }
  const ssize_t n = ReceiveStamped(fd_, buffer, size, instant);
  if (n == 0) return {.kind = IoResult::Kind::kClosed};
  if (n < 0) return FailedWith(IoResult::Kind::kWantRead);
  return {.bytes = static_cast<std::size_t>(n)};
}

std::uint16_t Transport::LocalPort() const {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&local), &length) != 0) return 0;
  if (local.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&local)->sin_port);
  if (local.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&local)->sin6_port);
  return 0;
}

bool Transport::IsAccepted() const {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

std::optional<int> Transport::Alert() const {
  if (ssl_ == nullptr) return std::nullopt;
  for (const unsigned long error : {ERR_peek_error(), ERR_peek_last_error()}) {
    const int number = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && number > 0 && number <= 255) return number;
  }
  return std::nullopt;
}

Transport::~Transport() {
  Close();
  SSL_SESSION_free(session_);
}

void Transport::KeepSession() {
  SSL_SESSION* session = SSL_get1_session(ssl_);
  if (session != nullptr && SSL_SESSION_is_resumable(session) == 1) std::swap(session, session_);
  SSL_SESSION_free(session);
}

void Transport::Close() {
  if (ssl_ != nullptr) {
    KeepSession();
    // Without a shutdown OpenSSL would call the session bad and never resume it. No close_notify goes out: the TCP
    // close says the same, for one system call less.
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
    ssl_ = nullptr;
    // Every failure ends here, so that OpenSSL's queue of errors is empty before each of its calls, as it demands.
    ERR_clear_error();
  }
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

std::string Transport::TlsError() const {
  if (ssl_ != nullptr) {
    const long verify = SSL_get_verify_result(ssl_);
    if (verify != X509_V_OK) return absl::StrCat("certificate: ", X509_verify_cert_error_string(verify));
  }
  if (is_plain_http_) return "handshake: the target speaks plain HTTP; write http:// or ws://";
  const unsigned long error = ERR_peek_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "handshake: the peer closed the connection" : absl::StrCat("handshake: ", reason);
}

}  // namespace tidemark

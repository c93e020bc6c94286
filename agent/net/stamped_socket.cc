#include "agent/net/stamped_socket.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <openssl/bio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace tidemark {
namespace {

// The software stamp among a message's control data.
bool FindStamp(msghdr* message, Nanos* instant) {
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
    scm_timestamping stamps;
    std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
    if (stamps.ts[0].tv_sec == 0) continue;
    *instant = stamps.ts[0].tv_sec * kSecond + stamps.ts[0].tv_nsec;
    return true;
  }
  return false;
}

bool Ask(int fd, unsigned flags) { return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) == 0; }

StampedSocket* SocketOf(BIO* bio) { return static_cast<StampedSocket*>(BIO_get_data(bio)); }

// What a call that may be tried again must say of itself.
int Finish(BIO* bio, ssize_t n, void (*retry)(BIO*)) {
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) retry(bio);
  return static_cast<int>(n);
}

void RetryRead(BIO* bio) { BIO_set_retry_read(bio); }
void RetryWrite(BIO* bio) { BIO_set_retry_write(bio); }

// The system calls go past libc, as those of Transport.
int Write(BIO* bio, const char* bytes, int size) {
  const StampedSocket& socket = *SocketOf(bio);
  BIO_clear_retry_flags(bio);
  const auto length = static_cast<std::size_t>(size);
  const ssize_t n = socket.stamps_sends ? SendStamped(socket.fd, bytes, length)
                                        : syscall(SYS_sendto, socket.fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT,
                                                  nullptr, socklen_t{0});
  return Finish(bio, n, RetryWrite);
}

int Read(BIO* bio, char* buffer, int size) {
  StampedSocket& socket = *SocketOf(bio);
  BIO_clear_retry_flags(bio);
  const auto length = static_cast<std::size_t>(size);
  const ssize_t n = socket.received_at != nullptr
                        ? ReceiveStamped(socket.fd, buffer, length, socket.received_at)
                        : syscall(SYS_recvfrom, socket.fd, buffer, length, MSG_DONTWAIT, nullptr, nullptr);
  if (n == 0) socket.is_at_end = true;
  return Finish(bio, n, RetryRead);
}

long Control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_EOF:
      return SocketOf(bio)->is_at_end ? 1 : 0;
    case BIO_CTRL_FLUSH:
      return 1;  // nothing is kept
    default:
      return 0;
  }
}

// Made once, and never given back.
const BIO_METHOD* Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stamped socket");
    if (made == nullptr) return made;
    BIO_meth_set_write(made, Write);
    BIO_meth_set_read(made, Read);
    BIO_meth_set_ctrl(made, Control);
    return made;
  }();
  return method;
}

}  // namespace

bool EnableStamps(int fd) { return Ask(fd, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY); }

StampSwitch::~StampSwitch() {
  if (fd_ >= 0) close(fd_);
}

void StampSwitch::Turn(bool is_on) {
  if (fd_ < 0) fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  is_on_ = Ask(fd_, is_on ? SOF_TIMESTAMPING_RX_SOFTWARE : 0) && is_on;
}

ssize_t SendStamped(int fd, const void* bytes, std::size_t size) {
  iovec piece{.iov_base = const_cast<void*>(bytes), .iov_len = size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SO_TIMESTAMPING;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint32_t));
  const std::uint32_t flags = SOF_TIMESTAMPING_TX_SOFTWARE;
  std::memcpy(CMSG_DATA(header), &flags, sizeof flags);
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t ReceiveStamped(int fd, void* buffer, std::size_t size, Nanos* instant) {
  iovec piece{.iov_base = buffer, .iov_len = size};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
  if (n > 0) FindStamp(&message, instant);
  return n;
}

bool TakeSendStamp(int fd, Nanos since, Nanos* instant) {
  bool is_found = false;
  while (true) {
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return is_found;
    Nanos stamp = 0;
    if (!FindStamp(&message, &stamp)) continue;
    is_found = true;
    if (*instant == 0 && stamp >= since) *instant = stamp;
  }
}

bool StampedSocket::Attach(SSL* ssl) {
  BIO* const bio = Method() == nullptr ? nullptr : BIO_new(Method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return true;
}

}  // namespace tidemark

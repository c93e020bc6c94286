// Sending and receiving with the kernel's software time stamps, and OpenSSL's way to the same socket.
// Source: Linux Documentation/networking/timestamping.rst. Instants are on the wall clock.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>

#include "common/clock.h"

namespace tidemark {

// Makes a TCP socket tell of the stamps that what it receives has; false if it cannot. While a StampSwitch is on, it
// has.
bool EnableStamps(int fd);

// While one on the machine is on, the kernel stamps every packet that arrives, for whomever: tens of nanoseconds each.
// It begins and ends some time after it was told. Threads: one.
class StampSwitch {
 public:
  StampSwitch() = default;
  ~StampSwitch();
  StampSwitch(const StampSwitch&) = delete;
  StampSwitch& operator=(const StampSwitch&) = delete;

  // Without a descriptor it stays off, and nothing has stamps.
  void Set(bool is_on) {
    if (is_on != is_on_) Turn(is_on);
  }

 private:
  void Turn(bool is_on);

  int fd_ = -1;  // a socket that asks for stamps, and gets nothing
  bool is_on_ = false;
};

// As send(2); the kernel stamps the moment at which the last byte goes to the driver. The stamp comes through the
// socket's error queue, which raises EPOLLERR.
ssize_t SendStamped(int fd, const void* bytes, std::size_t size);

// As recv(2); *instant becomes the moment at which the last segment read came from the driver, if it is known.
ssize_t ReceiveStamped(int fd, void* buffer, std::size_t size, Nanos* instant);

// Takes the stamps of sends off the error queue; false if there is none. *instant, if it is 0, becomes the first of
// them from `since` on: a segment that the kernel sends again is stamped again, and what that costs is the network's.
bool TakeSendStamp(int fd, Nanos since, Nanos* instant);

// Through which OpenSSL reads and writes a socket. Threads: one.
struct StampedSocket {
  int fd = -1;
  bool stamps_sends = false;
  Nanos* received_at = nullptr;  // where the stamp of what is received goes; null: nobody asks
  bool is_at_end = false;        // the peer has ended the stream

  // The other end of `ssl`, which owns it.  REQUIRES: this outlives `ssl`. Errors: false without memory.
  bool Attach(SSL* ssl);
};

}  // namespace tidemark

// The server's end of a WebSocket, on a raw socket: for scripts that say what no well-behaved server says.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_frames.h"

namespace tidemark {

inline std::string ReadHeader(int fd) {
  std::string text;
  for (char byte; text.find("\r\n\r\n") == std::string::npos && recv(fd, &byte, 1, 0) == 1;) text += byte;
  return text;
}

// What grants the upgrade that `request` asks for; `extra`: header lines. Empty if it asks for none.
inline std::string GrantOf(const std::string& request, const std::string& extra = "") {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t at = request.find(name);
  if (at == std::string::npos) return "";
  const std::string text = request.substr(at + name.size(), 24) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char accept[64];
  EVP_EncodeBlock(accept, digest, sizeof digest);
  return absl::StrCat("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                      "Sec-WebSocket-Accept: ", reinterpret_cast<const char*>(accept), "\r\n", extra, "\r\n");
}

// Reads the request for an upgrade, and grants it. False if the client is gone.
inline bool GrantUpgrade(int fd, const std::string& extra = "") {
  const std::string grant = GrantOf(ReadHeader(fd), extra);
  SendAll(fd, grant);
  return !grant.empty();
}

struct ClientFrame {
  int opcode = -1;  // none: the client is gone
  std::string payload;
};

// Reads one frame of up to 125 bytes, which must be masked.
inline ClientFrame ReadFrame(int fd) {
  unsigned char header[6];
  if (recv(fd, header, sizeof header, MSG_WAITALL) != sizeof header) return {};
  EXPECT_NE(header[1] & 0x80, 0);
  ClientFrame frame{.opcode = header[0] & 0x0f, .payload = std::string(header[1] & 0x7f, '\0')};
  if (!frame.payload.empty()) {
    if (recv(fd, frame.payload.data(), frame.payload.size(), MSG_WAITALL) < 0) return {};
    for (std::size_t i = 0; i < frame.payload.size(); ++i)
      frame.payload[i] = static_cast<char>(frame.payload[i] ^ header[2 + i % 4]);
  }
  return frame;
}

// The server's thread may count after the run is over. What `count` is at last, or after two seconds.
inline int Settled(const std::atomic<int>& count, int expected) {
  for (int i = 0; i < 2'000 && count < expected; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return count;
}

}  // namespace tidemark

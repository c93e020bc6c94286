// WebSocket frames as a server sends them, right and wrong ones.
#pragma once

#include <cstdint>
#include <string>

namespace tidemark {

// `bits`: FIN (0x80) and reserved bits, or'ed to the opcode.
inline std::string ServerFrame(int opcode, const std::string& payload, int bits = 0x80) {
  std::string frame(1, static_cast<char>(bits | opcode));
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size());
  } else if (payload.size() <= 0xffff) {
    frame += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
  } else {
    frame += 127;
    for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
  }
  return frame + payload;
}

inline std::string ServerClose(int code, const std::string& reason = "") {
  return ServerFrame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
}

}  // namespace tidemark

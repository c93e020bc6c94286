// Finds where messages begin and end in the bytes of one way of a connection: HTTP/1.1, then WebSocket frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// Something that begins before, or ends behind, a byte of the piece that was fed.
struct WireMark {
  enum class Kind : std::uint8_t {
    kRequestBegan,
    kRequest,   // its last byte
    kResponse,  // its last byte; `code`: the status. Interim responses are none
    kUpgrade,   // the last byte of a response of status 101: frames follow
    kMessage,   // the last byte of a WebSocket's frame that ends a message, or of a control frame; `code`: its opcode
    kClose,     // ... of a close frame; `code`: its own, 1005 if it has none
    kOpaque,    // this is neither; nothing more will be found
  };
  Kind kind = Kind::kOpaque;
  int code = 0;
  std::size_t offset = 0;  // into the piece: of the first byte (kRequestBegan, kOpaque), or behind the last
};

// One way of one connection. A judge of its own: it shares no line with the parsers that are judged, and asks no more
// of the bytes than what an end depends on. Threads: one.
class WireReader {
 public:
  enum class Way : std::uint8_t { kRequests, kResponses };

  // `heads`: whether each request whose response is to come asked with HEAD; shared by the two ways of a connection,
  // which it outlives.
  WireReader(Way way, std::deque<bool>* heads) : way_(way), heads_(*heads) {}

  // Appends what is found in the next bytes.
  void Feed(absl::string_view bytes, std::vector<WireMark>* marks);
  // The way's end has come: what lasts until then is complete.
  void Finish(std::vector<WireMark>* marks);
  // The other way agreed to an upgrade. REQUIRES: all that was fed has been complete messages.
  void ExpectFrames() { state_ = State::kFrames; }

  bool is_opaque() const { return state_ == State::kOpaque; }

 private:
  enum class State : std::uint8_t { kHead, kLength, kChunkSize, kChunk, kTrailer, kUntilEnd, kFrames, kOpaque };

  // Each takes what it deals with, at least one byte, and returns how many those were. `at`: of the first of them.
  std::size_t TakeHead(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks);
  std::size_t TakeLine(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks);
  std::size_t TakeBytes(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks);
  std::size_t TakeFrame(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks);
  void ReadHead(absl::string_view head, std::size_t end, std::vector<WireMark>* marks);
  void EndMessage(std::size_t end, std::vector<WireMark>* marks);
  void EndFrame(std::size_t end, std::vector<WireMark>* marks);
  void GiveUp(std::size_t at, std::vector<WireMark>* marks);

  const Way way_;
  std::deque<bool>& heads_;
  State state_ = State::kHead;
  std::string kept_;        // of a head or a line that has begun
  std::uint64_t left_ = 0;  // of a body, a chunk or a frame
  int status_ = 0;
  // Of frames.
  std::uint8_t header_[14] = {};
  std::uint8_t header_size_ = 0;
  bool is_in_payload_ = false;
  int opcode_ = 0;          // of the message
  std::uint8_t reason_[2];  // the first bytes of a close frame's payload
  std::uint8_t reason_size_ = 0;
};

}  // namespace tidemark

// WebSocket from the client's side: the upgrade, the frames that go out, and a reader of those that come.
// Source: RFC 6455; section numbers below are its own.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/wire/message_deflate.h"

namespace tidemark {

enum class Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// Close codes that we send or name (section 7.4.1).
inline constexpr int kCloseNormal = 1000;
inline constexpr int kCloseProtocolError = 1002;
inline constexpr int kCloseNoStatus = 1005;  // a close frame without a code; never sent
inline constexpr int kCloseBadPayload = 1007;
inline constexpr int kCloseTooBig = 1009;

inline constexpr int kSwitchingProtocols = 101;  // the status that grants an upgrade

inline constexpr std::size_t kMaxControlPayload = 125;
inline constexpr std::size_t kMaxServerHeader = 10;  // a server masks nothing

// Appends one final frame, its payload masked with `mask`, as section 5.3 asks of a client.
void AppendFrame(Opcode opcode, absl::string_view payload, std::uint32_t mask, std::string* out,
                 bool is_compressed = false);
void AppendClose(int code, std::uint32_t mask, std::string* out);

// A random Sec-WebSocket-Key (section 4.1): 16 bytes made of `random`, in base64.
std::string MakeUpgradeKey(std::uint64_t random_high, std::uint64_t random_low);

// What a server said to a request for an upgrade.
// How many bytes at the front are interim answers (1xx, but for 101) that are whole.
std::size_t InterimSize(absl::string_view bytes);

struct Upgrade {
  bool is_complete = false;  // else more bytes are needed
  bool is_deflated = false;  // permessage-deflate is agreed
  std::size_t consumed = 0;  // frames may follow at once
};
// Reads the response in `bytes`. `key` is the one that was sent, `subprotocols` those that were offered, with commas.
// Errors: Unavailable naming the status, if it is not 101; InvalidArgument naming the rule of section 4.1 that the
// response breaks.
// `may_deflate`: MessageDeflate::kOffer was sent.
// REQUIRES: no interim answer precedes it.
absl::StatusOr<Upgrade> ReadUpgrade(absl::string_view bytes, const std::string& key, const std::string& subprotocols,
                                    bool may_deflate = false);

// The status of an answer that ReadUpgrade has read.
std::uint32_t StatusOf(absl::string_view answer);

// Reads a server's frames, however they are cut, into messages and control frames. Keeps no more of a message than what
// is asked for, and checks all that section 5 has to say about frames, and that text is UTF-8.
// Use: Next until it says kNeedMore, with all bytes that have come. Its members are what is known where a frame may be
// cut, which is everywhere.
class FrameReader {
 public:
  FrameReader() = default;
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;
  ~FrameReader() { GiveBack(); }

  enum class Event : std::uint8_t {
    kNeedMore,
    kMessage,
    kPing,
    kPong,
    kClose,
    kFailed,  // the peer broke a rule, or a limit: close_code() is what to close with; nothing may be read any more
  };

  // Takes what it deals with off the front of *bytes. With `must_keep` payload() of a message is its payload; else a
  // message that came in pieces has none.
  Event Next(absl::string_view* bytes, std::uint64_t max_message_bytes, bool must_keep);

  // What it keeps of messages that come in pieces comes out of `room`, in bytes, which all readers of a worker share
  // and which outlives them. A message that finds none is too big.
  void Bound(std::int64_t* room) { room_ = room; }
  bool is_out_of_room() const { return is_out_of_room_; }

  // From now on messages may be compressed; `deflate` outlives the reader.
  void AllowDeflate(MessageDeflate* deflate) { deflate_ = deflate; }

  // Of the last event but kNeedMore; valid until the next call, and while the bytes are.
  absl::string_view payload() const { return payload_; }
  std::uint64_t message_bytes() const { return message_bytes_; }
  bool is_text() const { return is_text_; }
  bool is_compressed() const { return is_compressed_; }
  int close_code() const { return close_code_; }
  // Some of a message, or of a control frame, has come, and the rest has not.
  bool IsInMessage() const { return is_fragmented_ || is_in_frame_ || header_size_ > 0; }

 private:
  Event ReadHeader(absl::string_view* bytes, std::uint64_t max_message_bytes);
  Event ReadControl(absl::string_view* bytes);
  Event ReadData(absl::string_view* bytes, std::uint64_t max_message_bytes, bool must_keep);
  Event Inflate(std::uint64_t max_message_bytes);
  Event Fail(int close_code);
  bool CheckUtf8(absl::string_view text);
  bool Keep(absl::string_view part);
  void GiveBack();

  MessageDeflate* deflate_ = nullptr;
  std::int64_t* room_ = nullptr;  // null: as much as it likes
  std::int64_t held_ = 0;         // of it
  absl::string_view payload_;
  std::string kept_;        // of a message in pieces
  std::string control_;     // of a control frame, which may stand between the pieces
  std::uint64_t left_ = 0;  // of the frame's payload
  std::uint64_t message_bytes_ = 0;
  int close_code_ = 0;
  Opcode opcode_ = Opcode::kContinuation;  // of the frame
  std::uint8_t header_[kMaxServerHeader] = {};
  std::uint8_t header_size_ = 0;
  bool is_out_of_room_ = false;
  std::uint8_t utf8_left_ = 0;  // continuation bytes that a character still needs, the next one ...
  std::uint8_t utf8_low_ = 0;   // ... within these two
  std::uint8_t utf8_high_ = 0;
  bool is_final_ = false;
  bool is_in_frame_ = false;
  bool is_fragmented_ = false;  // a message has begun, whose last frame has not come
  bool is_text_ = false;
  bool is_compressed_ = false;
};

}  // namespace tidemark

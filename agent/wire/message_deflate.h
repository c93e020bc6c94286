// permessage-deflate without context takeover: each message is compressed by itself. Source: RFC 7692.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidemark {

// One for all connections of a worker, since no message depends on another. Threads: one.
class MessageDeflate {
 public:
  // What a client offers; the server must take both, and may limit its own window.
  static constexpr char kOffer[] = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  // Whether `extensions`, the server's answer to the offer, is one that we can go by. Errors: InvalidArgument naming
  // what is wrong with it.
  static absl::Status CheckAnswer(absl::string_view extensions);

  MessageDeflate();
  ~MessageDeflate();

  // Appends `message`, compressed as section 7.2.1 says.
  void Compress(absl::string_view message, std::string* out);
  // The message that was compressed into `bytes`, valid until the next call; false if it is not well compressed, or,
  // with *is_too_big, larger than `max_bytes`.
  bool Decompress(absl::string_view bytes, std::uint64_t max_bytes, absl::string_view* message, bool* is_too_big);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tidemark

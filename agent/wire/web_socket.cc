#include "agent/wire/web_socket.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/wire/header_watch.h"
#include "common/check.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

// What a reader keeps for its next message, of what it has grown to.
constexpr std::int64_t kMostIdle = 64 << 10;

namespace http = boost::beast::http;

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kCompressed = 0x40;  // RFC 7692 section 6: RSV1 of a message's first frame
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLengthOf16 = 126;
constexpr std::uint8_t kLengthOf64 = 127;
constexpr std::size_t kMaxUpgradeBytes = 64 << 10;

// What is done word by word is done to two at once.
struct Words {
  std::uint64_t low;
  std::uint64_t high;
};

std::string Base64(const unsigned char* bytes, int size) {
  std::string text(static_cast<std::size_t>((size + 2) / 3 * 4) + 1, '\0');
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, size)));
  return text;
}

// Section 4.2.2, step 5.4.
std::string AcceptOf(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return Base64(digest, sizeof digest);
}

bool IsControl(Opcode opcode) { return (static_cast<std::uint8_t>(opcode) & 8) != 0; }

bool IsOffered(absl::string_view subprotocol, const std::string& offered) {
  for (const absl::string_view one : absl::StrSplit(offered, ',')) {
    if (absl::StripAsciiWhitespace(one) == subprotocol) return true;
  }
  return false;
}

// Section 7.4: codes that may stand in a close frame.
bool MayBeSent(int code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

void AppendFrame(Opcode opcode, absl::string_view payload, std::uint32_t mask, std::string* out, bool is_compressed) {
  char header[14] = {};
  char* end = header;
  *end++ = static_cast<char>(kFinal | (is_compressed ? kCompressed : 0) | static_cast<std::uint8_t>(opcode));
  const auto append_length = [&](int bytes) {
    for (int i = bytes - 1; i >= 0; --i) *end++ = static_cast<char>(payload.size() >> (8 * i));
  };
  if (payload.size() < kLengthOf16) {
    *end++ = static_cast<char>(kMasked | payload.size());
  } else if (payload.size() <= 0xffff) {
    *end++ = static_cast<char>(kMasked | kLengthOf16);
    append_length(2);
  } else {
    *end++ = static_cast<char>(kMasked | kLengthOf64);
    append_length(8);
  }
  std::memcpy(end, &mask, sizeof mask);
  end += sizeof mask;
  const std::size_t from = out->size() + static_cast<std::size_t>(end - header);
  out->append(header, sizeof header);  // of a size that the compiler knows
  out->resize(from);
  out->append(payload.data(), payload.size());
  const std::uint64_t wide = std::uint64_t{mask} << 32 | mask;
  char* at = out->data() + from;
  std::size_t left = payload.size();
  for (; left >= sizeof(Words); at += sizeof(Words), left -= sizeof(Words)) {
    Words words;
    std::memcpy(&words, at, sizeof words);
    words.low ^= wide;
    words.high ^= wide;
    std::memcpy(at, &words, sizeof words);
  }
  const char* const key = end - sizeof mask;
  for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ key[i % 4]);
}

void AppendClose(int code, std::uint32_t mask, std::string* out) {
  const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  AppendFrame(Opcode::kClose, code == kCloseNoStatus ? absl::string_view() : absl::string_view(payload, 2), mask, out);
}

std::string MakeUpgradeKey(std::uint64_t random_high, std::uint64_t random_low) {
  unsigned char nonce[16];
  std::memcpy(nonce, &random_high, 8);
  std::memcpy(nonce + 8, &random_low, 8);
  return Base64(nonce, sizeof nonce);
}

absl::StatusOr<Upgrade> ReadUpgrade(absl::string_view bytes, const std::string& key, const std::string& subprotocols,
                                    bool may_deflate) {
  HeaderWatch watch;
  const HeaderWatch::Verdict verdict = watch.Look(bytes);
  if (verdict == HeaderWatch::Verdict::kBad) {
    return absl::InvalidArgumentError(
        absl::StrCat("upgrade: the answer is no HTTP: byte ", watch.size() + 1, " is 0x",
                     absl::Hex(static_cast<unsigned char>(bytes[watch.size()]), absl::kZeroPad2)));
  }
  if (verdict == HeaderWatch::Verdict::kMayGoOn) {
    if (bytes.size() > kMaxUpgradeBytes) return absl::InvalidArgumentError("upgrade: a header of more than 64 KiB");
    return Upgrade();
  }
  http::response_parser<http::empty_body> parser;
  parser.header_limit(kMaxUpgradeBytes);
  parser.skip(true);  // the body, if it is refused
  boost::beast::error_code error;
  const std::size_t size = watch.size();
  const std::string odd = watch.IsOdd() ? watch.Plain(bytes) : "";
  const absl::string_view block = watch.IsOdd() ? absl::string_view(odd) : bytes.substr(0, size);
  parser.put(boost::asio::buffer(block.data(), block.size()), error);
  if (error || !parser.is_header_done())
    return absl::InvalidArgumentError(absl::StrCat("upgrade: the answer is no HTTP: ", error.message()));
  const auto& response = parser.get();
  const auto text = [&](boost::beast::string_view value) { return absl::string_view(value.data(), value.size()); };
  if (response.result_int() != 101) {
    return absl::UnavailableError(absl::StrCat("upgrade refused with status ", response.result_int(), " ",
                                               InertText(text(response.reason()), 64)));
  }
  if (response.version() < 11)
    return absl::InvalidArgumentError("upgrade: the answer is HTTP/1.0, which has no upgrade");
  if (response.count(http::field::upgrade) != 1 ||
      !absl::EqualsIgnoreCase(text(response[http::field::upgrade]), "websocket"))
    return absl::InvalidArgumentError("upgrade: the answer lacks 'Upgrade: websocket'");
  const auto is_upgrade = [](const auto& field) { return http::token_list(field.value()).exists("upgrade"); };
  const auto connection = response.equal_range(http::field::connection);
  if (std::none_of(connection.first, connection.second, is_upgrade))
    return absl::InvalidArgumentError("upgrade: the answer lacks 'Connection: Upgrade'");
  // RFC 6455 section 11.3.3: it is there once.
  if (response.count(http::field::sec_websocket_accept) > 1)
    return absl::InvalidArgumentError("upgrade: Sec-WebSocket-Accept is there more than once");
  if (text(response[http::field::sec_websocket_accept]) != AcceptOf(key))
    return absl::InvalidArgumentError("upgrade: Sec-WebSocket-Accept does not belong to our key");
  // Section 9.1: several fields are one list.
  std::vector<absl::string_view> extensions;
  const auto fields = response.equal_range(http::field::sec_websocket_extensions);
  for (auto field = fields.first; field != fields.second; ++field) extensions.push_back(text(field->value()));
  if (!extensions.empty()) {
    const absl::Status status = may_deflate
                                    ? MessageDeflate::CheckAnswer(absl::StrJoin(extensions, ","))
                                    : absl::InvalidArgumentError("the server chose an extension that was not offered");
    if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat("upgrade: ", status.message()));
  }
  if (response.count(http::field::sec_websocket_protocol) > 1)
    return absl::InvalidArgumentError("upgrade: the server chose more than one subprotocol");
  const absl::string_view chosen = text(response[http::field::sec_websocket_protocol]);
  if (!chosen.empty() && !IsOffered(chosen, subprotocols))
    return absl::InvalidArgumentError(
        absl::StrCat("upgrade: the server chose the subprotocol '", chosen.substr(0, 64), "', which was not offered"));
  return Upgrade{.is_complete = true, .is_deflated = !extensions.empty(), .consumed = size};
}

std::size_t InterimSize(absl::string_view bytes) {
  std::size_t size = 0;
  while (true) {
    const absl::string_view rest = bytes.substr(size);
    HeaderWatch watch;
    if (watch.Look(rest) != HeaderWatch::Verdict::kWhole) return size;
    const std::uint32_t status = StatusOf(rest);
    if (status / 100 != 1 || status == kSwitchingProtocols) return size;
    size += watch.size();
  }
}

std::uint32_t StatusOf(absl::string_view answer) {
  std::uint32_t status = 0;
  CHECK(absl::SimpleAtoi(answer.substr(sizeof "HTTP/1.1", 3), &status));
  return status;
}

FrameReader::Event FrameReader::Fail(int close_code) {
  close_code_ = close_code;
  payload_ = {};
  return Event::kFailed;
}

FrameReader::Event FrameReader::Next(absl::string_view* bytes, std::uint64_t max_message_bytes, bool must_keep) {
  while (true) {
    if (!is_in_frame_) {
      if (bytes->empty()) return Event::kNeedMore;
      const Event event = ReadHeader(bytes, max_message_bytes);
      if (event == Event::kFailed) return event;
      if (!is_in_frame_) return Event::kNeedMore;
    }
    const Event event = IsControl(opcode_) ? ReadControl(bytes) : ReadData(bytes, max_message_bytes, must_keep);
    if (event != Event::kNeedMore || is_in_frame_) return event;  // else a piece of a message has ended
  }
}

// Takes a frame's header, or what there is of it.
FrameReader::Event FrameReader::ReadHeader(absl::string_view* bytes, std::uint64_t max_message_bytes) {
  std::size_t wanted = 2;
  while (true) {
    const std::size_t lacking = wanted - std::min<std::size_t>(wanted, header_size_);
    const std::size_t size = std::min(lacking, bytes->size());
    std::memcpy(header_ + header_size_, bytes->data(), size);
    header_size_ = static_cast<std::uint8_t>(header_size_ + size);
    bytes->remove_prefix(size);
    if (header_size_ < wanted) return Event::kNeedMore;
    if (wanted > 2) break;
    const std::uint8_t length = header_[1] & 0x7f;
    if (length < kLengthOf16) break;
    wanted = length == kLengthOf16 ? 4 : 10;
  }
  header_size_ = 0;
  const std::uint8_t opcode = header_[0] & 0x0f;
  is_final_ = (header_[0] & kFinal) != 0;
  // Section 5.2: no extension gave the reserved bits a meaning. 5.1: a server masks nothing.
  const int reserved = header_[0] & kReserved;
  const bool may_compress = deflate_ != nullptr && (opcode == 1 || opcode == 2);
  if ((reserved != 0 && !(may_compress && reserved == kCompressed)) || (header_[1] & kMasked) != 0)
    return Fail(kCloseProtocolError);
  if (opcode > 10 || (opcode > 2 && opcode < 8)) return Fail(kCloseProtocolError);
  opcode_ = static_cast<Opcode>(opcode);
  left_ = header_[1] & 0x7f;
  if (wanted > 2) {
    left_ = 0;
    for (std::size_t i = 2; i < wanted; ++i) left_ = left_ << 8 | header_[i];
    // Section 5.2: in the shortest form, the highest bit clear.
    if (left_ >> 63 != 0 || left_ < (wanted == 4 ? kLengthOf16 : 0x10000u)) return Fail(kCloseProtocolError);
  }
  if (IsControl(opcode_)) {
    // Section 5.5.
    if (!is_final_ || left_ > kMaxControlPayload) return Fail(kCloseProtocolError);
    control_.clear();
  } else {
    // Section 5.4: a message goes on with continuations alone, and only one that has begun.
    if ((opcode_ == Opcode::kContinuation) != is_fragmented_) return Fail(kCloseProtocolError);
    if (!is_fragmented_) {
      message_bytes_ = 0;
      kept_.clear();
      if (held_ > kMostIdle) GiveBack();
      utf8_left_ = 0;
      is_text_ = opcode_ == Opcode::kText;
      is_compressed_ = reserved != 0;
    }
    if (left_ > max_message_bytes || message_bytes_ > max_message_bytes - left_) return Fail(kCloseTooBig);
  }
  is_in_frame_ = true;
  return Event::kNeedMore;
}

FrameReader::Event FrameReader::ReadControl(absl::string_view* bytes) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes->size()));
  control_.append(bytes->data(), size);
  bytes->remove_prefix(size);
  left_ -= size;
  if (left_ > 0) return Event::kNeedMore;
  is_in_frame_ = false;
  payload_ = control_;
  if (opcode_ == Opcode::kPing) return Event::kPing;
  if (opcode_ == Opcode::kPong) return Event::kPong;
  close_code_ = kCloseNoStatus;
  if (control_.empty()) return Event::kClose;
  if (control_.size() == 1) return Fail(kCloseProtocolError);
  const int code = static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]);
  if (!MayBeSent(code)) return Fail(kCloseProtocolError);
  utf8_left_ = 0;
  if (!CheckUtf8(payload_.substr(2)) || utf8_left_ != 0) return Fail(kCloseBadPayload);
  close_code_ = code;
  payload_.remove_prefix(2);
  return Event::kClose;
}

FrameReader::Event FrameReader::ReadData(absl::string_view* bytes, std::uint64_t max_message_bytes, bool must_keep) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes->size()));
  const absl::string_view part = bytes->substr(0, size);
  bytes->remove_prefix(size);
  left_ -= size;
  message_bytes_ += size;
  if (is_text_ && !is_compressed_ && !CheckUtf8(part)) return Fail(kCloseBadPayload);
  const bool is_over = left_ == 0 && is_final_;
  const bool is_whole = is_over && message_bytes_ == size;
  if ((must_keep || is_compressed_) && !is_whole && !Keep(part)) return Fail(kCloseTooBig);
  if (left_ > 0) return Event::kNeedMore;
  is_in_frame_ = false;
  is_fragmented_ = !is_final_;
  if (!is_over) return Event::kNeedMore;
  payload_ = is_whole ? part : absl::string_view(kept_);
  if (is_compressed_) return Inflate(max_message_bytes);
  if (is_text_ && utf8_left_ != 0) return Fail(kCloseBadPayload);
  return Event::kMessage;
}

// False if there is no room for it.
bool FrameReader::Keep(absl::string_view part) {
  const std::size_t before = kept_.capacity();
  const std::size_t wanted = kept_.size() + part.size();
  if (room_ != nullptr && wanted > before) {
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(0, *room_));
    is_out_of_room_ = wanted - before > left;
    if (is_out_of_room_) return false;
    // Twice as much each time, or a long message would be copied again with each of its pieces.
    kept_.reserve(std::min(std::max(wanted, 2 * before), before + left));
    const auto taken = static_cast<std::int64_t>(kept_.capacity() - before);
    *room_ -= taken;
    held_ += taken;
  }
  kept_.append(part.data(), part.size());
  return true;
}

void FrameReader::GiveBack() {
  if (held_ == 0) return;
  kept_ = std::string();
  *room_ += std::exchange(held_, 0);
}

FrameReader::Event FrameReader::Inflate(std::uint64_t max_message_bytes) {
  bool is_too_big = false;
  if (!deflate_->Decompress(payload_, max_message_bytes, &payload_, &is_too_big))
    return Fail(is_too_big ? kCloseTooBig : kCloseBadPayload);
  message_bytes_ = payload_.size();
  if (is_text_ && (!CheckUtf8(payload_) || utf8_left_ != 0)) return Fail(kCloseBadPayload);
  return Event::kMessage;
}

// Section 8.1, by the ranges of RFC 3629 section 4; a character may be cut between two calls.
bool FrameReader::CheckUtf8(absl::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (utf8_left_ == 0) {
      Words words;
      while (i + sizeof words <= text.size()) {
        std::memcpy(&words, text.data() + i, sizeof words);
        if (((words.low | words.high) & 0x8080808080808080u) != 0) break;
        i += sizeof words;
      }
      if (text.size() - i >= sizeof words.low) {
        std::memcpy(&words.low, text.data() + i, sizeof words.low);
        if ((words.low & 0x8080808080808080u) == 0) i += sizeof words.low;
      }
      if (i == text.size()) return true;
    }
    const auto byte = static_cast<std::uint8_t>(text[i++]);
    if (utf8_left_ > 0) {
      if (byte < utf8_low_ || byte > utf8_high_) return false;
      --utf8_left_;
      utf8_low_ = 0x80;
      utf8_high_ = 0xbf;
      continue;
    }
    if (byte < 0x80) continue;
    if (byte < 0xc2 || byte > 0xf4) return false;
    utf8_left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    utf8_low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    utf8_high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  }
  return true;
}

}  // namespace tidemark

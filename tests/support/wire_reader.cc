#include "tests/support/wire_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace tidemark {
namespace {

using Kind = WireMark::Kind;

constexpr std::size_t kMaxHead = 1 << 20;
constexpr std::size_t kMaxLine = 1 << 16;
constexpr int kCloseFrame = 8;
constexpr int kNoCode = 1005;

bool StartsLike(absl::string_view text, absl::string_view lower) {
  return text.size() >= lower.size() && strncasecmp(text.data(), lower.data(), lower.size()) == 0;
}

// The value behind `name` and its colon, if `line` is that field.
bool IsField(absl::string_view line, absl::string_view name, absl::string_view* value) {
  if (!StartsLike(line, name)) return false;
  line.remove_prefix(name.size());
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  *value = line;
  return true;
}

bool EndsLikeChunked(absl::string_view value) {
  constexpr absl::string_view kChunked = "chunked";
  return value.size() >= kChunked.size() && StartsLike(value.substr(value.size() - kChunked.size()), kChunked);
}

bool ReadNumber(absl::string_view text, int base, std::uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc() && end != text.data();
}

}  // namespace

void WireReader::Feed(absl::string_view bytes, std::vector<WireMark>* marks) {
  for (std::size_t at = 0; at < bytes.size();) {
    const absl::string_view rest = bytes.substr(at);
    switch (state_) {
      case State::kHead:
        at += TakeHead(rest, at, marks);
        break;
      case State::kLength:
      case State::kChunk:
        at += TakeBytes(rest, at, marks);
        break;
      case State::kChunkSize:
      case State::kTrailer:
        at += TakeLine(rest, at, marks);
        break;
      case State::kFrames:
        at += TakeFrame(rest, at, marks);
        break;
      case State::kUntilEnd:
      case State::kOpaque:
        return;
    }
  }
}

void WireReader::Finish(std::vector<WireMark>* marks) {
  if (state_ == State::kUntilEnd) EndMessage(0, marks);
}

std::size_t WireReader::TakeHead(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks) {
  if (kept_.empty()) {
    // A request line begins with a method, a status line with "HTTP"; a TLS record with 0x16.
    const bool may_be_head = way_ == Way::kRequests ? bytes[0] >= 'A' && bytes[0] <= 'Z' : bytes[0] == 'H';
    if (!may_be_head) {
      GiveUp(at, marks);
      return bytes.size();
    }
    if (way_ == Way::kRequests) marks->push_back({.kind = Kind::kRequestBegan, .offset = at});
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end != absl::string_view::npos) {
      ReadHead(bytes.substr(0, end + 2), at + end + 4, marks);
      return end + 4;
    }
  }
  const std::size_t had = kept_.size();
  kept_.append(bytes.data(), bytes.size());
  const std::size_t end = kept_.find("\r\n\r\n", had < 3 ? 0 : had - 3);
  if (end == std::string::npos) {
    if (kept_.size() > kMaxHead) GiveUp(at, marks);
    return bytes.size();
  }
  const std::size_t taken = end + 4 - had;
  ReadHead(absl::string_view(kept_).substr(0, end + 2), at + taken, marks);
  kept_.clear();
  return taken;
}

// `head`: its lines, each with its end.
void WireReader::ReadHead(absl::string_view head, std::size_t end, std::vector<WireMark>* marks) {
  const std::size_t first_end = head.find('\n');
  const absl::string_view first = head.substr(0, first_end);
  status_ = 0;
  bool is_head_request = false;
  if (way_ == Way::kResponses) {
    std::uint64_t status = 0;
    if (!StartsLike(first, "http/1.") || first.size() < 12 || !ReadNumber(first.substr(9, 3), 10, &status))
      return GiveUp(end, marks);
    status_ = static_cast<int>(status);
    if (status_ < 200 && status_ != 101) return;  // interim: the head of the response follows
  } else {
    if (first.find("HTTP/1.") == absl::string_view::npos) return GiveUp(end, marks);
    is_head_request = StartsLike(first, "head ");
  }
  bool is_chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;
  for (std::size_t at = first_end + 1; at < head.size();) {
    const std::size_t line_end = head.find('\n', at);
    const absl::string_view line = head.substr(at, line_end - at);
    at = line_end + 1;
    absl::string_view value;
    if (IsField(line, "content-length:", &value)) has_length = ReadNumber(value, 10, &length);
    if (IsField(line, "transfer-encoding:", &value)) is_chunked = EndsLikeChunked(value);
  }
  if (way_ == Way::kRequests) {
    heads_.push_back(is_head_request);
  } else {
    const bool answers_head = !heads_.empty() && heads_.front();
    if (!heads_.empty()) heads_.pop_front();
    if (status_ == 101) {
      marks->push_back({.kind = Kind::kUpgrade, .code = status_, .offset = end});
      state_ = State::kFrames;
      return;
    }
    if (answers_head || status_ == 204 || status_ == 304) return EndMessage(end, marks);
    if (!is_chunked && !has_length) {
      state_ = State::kUntilEnd;
      return;
    }
  }
  left_ = length;
  if (is_chunked) {
    state_ = State::kChunkSize;
  } else if (length == 0) {
    EndMessage(end, marks);
  } else {
    state_ = State::kLength;
  }
}

std::size_t WireReader::TakeBytes(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= taken;
  if (left_ == 0) {
    if (state_ == State::kChunk) {
      state_ = State::kChunkSize;
    } else {
      EndMessage(at + taken, marks);
    }
  }
  return taken;
}

std::size_t WireReader::TakeLine(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks) {
  const std::size_t end = bytes.find('\n');
  const std::size_t taken = end == absl::string_view::npos ? bytes.size() : end + 1;
  kept_.append(bytes.data(), taken);
  if (end == absl::string_view::npos) {
    if (kept_.size() > kMaxLine) GiveUp(at, marks);
    return taken;
  }
  const std::string line = std::move(kept_);
  kept_.clear();
  if (state_ == State::kTrailer) {
    if (line == "\r\n" || line == "\n") EndMessage(at + taken, marks);
  } else if (!ReadNumber(line, 16, &left_)) {
    GiveUp(at, marks);
  } else if (left_ == 0) {
    state_ = State::kTrailer;
  } else {
    left_ += 2;  // the line's end behind the chunk
    state_ = State::kChunk;
  }
  return taken;
}

// Source: RFC 6455, section 5.2.
std::size_t WireReader::TakeFrame(absl::string_view bytes, std::size_t at, std::vector<WireMark>* marks) {
  std::size_t taken = 0;
  while (!is_in_payload_) {
    if (taken == bytes.size()) return taken;
    header_[header_size_++] = static_cast<std::uint8_t>(bytes[taken++]);
    if (header_size_ < 2) continue;
    const int short_length = header_[1] & 0x7f;
    const int length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
    const int mask_bytes = (header_[1] & 0x80) != 0 ? 4 : 0;
    if (header_size_ < 2 + length_bytes + mask_bytes) continue;
    left_ = length_bytes == 0 ? static_cast<std::uint64_t>(short_length) : 0;
    for (int i = 0; i < length_bytes; ++i) left_ = left_ << 8 | header_[2 + i];
    const int opcode = header_[0] & 0x0f;
    if (opcode != 0 && opcode < 8) opcode_ = opcode;
    is_in_payload_ = true;
    reason_size_ = 0;
  }
  const auto payload = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - taken));
  for (std::size_t i = 0; i < payload && reason_size_ < 2; ++i)
    reason_[reason_size_++] = static_cast<std::uint8_t>(bytes[taken + i]);
  left_ -= payload;
  taken += payload;
  if (left_ == 0) EndFrame(at + taken, marks);
  return taken;
}

void WireReader::EndFrame(std::size_t end, std::vector<WireMark>* marks) {
  const bool is_final = (header_[0] & 0x80) != 0;
  const int opcode = header_[0] & 0x0f;
  if (opcode == kCloseFrame) {
    int code = kNoCode;
    if (reason_size_ == 2) {
      const std::uint8_t* const mask = header_ + header_size_ - 4;
      const bool is_masked = (header_[1] & 0x80) != 0;
      code = (reason_[0] ^ (is_masked ? mask[0] : 0)) << 8 | (reason_[1] ^ (is_masked ? mask[1] : 0));
    }
    marks->push_back({.kind = Kind::kClose, .code = code, .offset = end});
  } else if (opcode > kCloseFrame) {
    marks->push_back({.kind = Kind::kMessage, .code = opcode, .offset = end});
  } else if (is_final) {
    marks->push_back({.kind = Kind::kMessage, .code = opcode_, .offset = end});
  }
  header_size_ = 0;
  is_in_payload_ = false;
}

void WireReader::EndMessage(std::size_t end, std::vector<WireMark>* marks) {
  marks->push_back({.kind = way_ == Way::kRequests ? Kind::kRequest : Kind::kResponse, .code = status_, .offset = end});
  state_ = State::kHead;
}

void WireReader::GiveUp(std::size_t at, std::vector<WireMark>* marks) {
  marks->push_back({.kind = Kind::kOpaque, .offset = at});
  kept_.clear();
  state_ = State::kOpaque;
}

}  // namespace tidemark

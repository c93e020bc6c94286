#include "agent/wire/header_watch.h"

#include "absl/strings/ascii.h"

namespace tidemark {
namespace {

// Section 4; a digit stands for any. What stands behind it, in column kStatusEnd, is a space, or the line's end.
constexpr absl::string_view kStatusPattern = "HTTP/1.d ddd";
constexpr std::size_t kStatusEnd = kStatusPattern.size();

// RFC 9110 section 5.6.2.
bool IsToken(unsigned char byte) {
  return absl::ascii_isalnum(byte) ||
         (byte != 0 && absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(byte)) != absl::string_view::npos);
}

// What may stand in a reason, or a value.
bool IsText(unsigned char byte) { return byte == '\t' || (byte >= ' ' && byte != 0x7f); }

int HexDigit(unsigned char byte) {
  if (absl::ascii_isdigit(byte)) return byte - '0';
  const unsigned char lower = static_cast<unsigned char>(absl::ascii_tolower(byte));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

void HeaderWatch::BeginChunk(bool is_first) {
  *this = HeaderWatch();
  is_chunk_ = true;
  state_ = is_first ? State::kFirstDigit : State::kChunkEnd;
}

HeaderWatch::Verdict HeaderWatch::Look(absl::string_view bytes) {
  while (state_ < State::kWhole && at_ < bytes.size()) {
    state_ = After(static_cast<unsigned char>(bytes[at_]));
    if (state_ != State::kBad) ++at_;
  }
  return state_ == State::kWhole ? Verdict::kWhole : state_ == State::kBad ? Verdict::kBad : Verdict::kMayGoOn;
}

HeaderWatch::State HeaderWatch::After(unsigned char byte) {
  switch (state_) {
    case State::kStatusLine:
      if (at_ < kStatusEnd) {
        const char wanted = kStatusPattern[at_];
        const bool is_right = wanted != 'd'                     ? byte == static_cast<unsigned char>(wanted)
                              : at_ == kStatusPattern.find('d') ? byte == '0' || byte == '1'
                                                                : absl::ascii_isdigit(byte);
        return is_right ? State::kStatusLine : State::kBad;
      }
      if (byte == ' ') return State::kText;
      is_odd_ = true;
      return byte == '\r' ? State::kLineFeed : byte == '\n' ? State::kFieldStart : State::kBad;
    case State::kFieldStart:
      if (byte == '\r') return State::kBlockLineFeed;
      if (byte == '\n') return AfterBareLineFeed(State::kWhole);
      if (has_field_ && (byte == ' ' || byte == '\t')) return State::kText;  // section 5.2
      has_field_ = true;
      return IsToken(byte) ? State::kName : State::kBad;
    case State::kName:
      return byte == ':' ? State::kText : IsToken(byte) ? State::kName : State::kBad;
    case State::kText:
      if (byte == '\r') return State::kLineFeed;
      if (byte == '\n') return AfterBareLineFeed(State::kFieldStart);
      return IsText(byte) ? State::kText : State::kBad;
    case State::kLineFeed:
      return byte == '\n' ? State::kFieldStart : State::kBad;
    case State::kBlockLineFeed:
      return byte == '\n' ? State::kWhole : State::kBad;
    case State::kChunkEnd:
      return byte == '\r' ? State::kChunkEndLineFeed : State::kBad;
    case State::kChunkEndLineFeed:
      return byte == '\n' ? State::kFirstDigit : State::kBad;
    case State::kFirstDigit:
    case State::kDigit:
      if (const int digit = HexDigit(byte); digit >= 0) {
        if (chunk_size_ >> 60 != 0) return State::kBad;
        chunk_size_ = chunk_size_ << 4 | static_cast<std::uint64_t>(digit);
        return State::kDigit;
      }
      if (state_ == State::kFirstDigit) return State::kBad;
      if (byte == '\r') return State::kChunkLineFeed;
      return byte == ';' || byte == ' ' || byte == '\t' ? State::kExtension : State::kBad;
    case State::kExtension:
      return byte == '\r' ? State::kChunkLineFeed : State::kExtension;
    case State::kChunkLineFeed:
      if (byte != '\n') return State::kBad;
      return chunk_size_ == 0 ? State::kFieldStart : State::kWhole;
    case State::kWhole:
    case State::kBad:
      break;
  }
  return state_;
}

HeaderWatch::State HeaderWatch::AfterBareLineFeed(State next) {
  is_odd_ = true;
  return is_chunk_ ? State::kBad : next;
}

std::string HeaderWatch::Plain(absl::string_view bytes) const {
  std::string plain;
  for (absl::string_view block = bytes.substr(0, at_); !block.empty();) {
    const std::size_t end = block.find('\n');
    absl::string_view line = block.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    plain.append(line.data(), line.size());
    if (plain.size() == kStatusEnd) plain += ' ';
    plain += "\r\n";
    block.remove_prefix(end + 1);
  }
  return plain;
}

}  // namespace tidemark

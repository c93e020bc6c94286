#include "agent/wire/message_deflate.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

constexpr int kRawWindow = -15;  // no zlib header, 32 KiB
constexpr int kMemoryLevel = 8;
constexpr std::size_t kFirstOutput = 16 << 10;
// What ends a block that is flushed: left out on the wire, section 7.2.1.
constexpr absl::string_view kTail("\x00\x00\xff\xff", 4);

Bytef* In(absl::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

}  // namespace

struct MessageDeflate::State {
  z_stream deflate{};
  z_stream inflate{};
  std::string output;
};

absl::Status MessageDeflate::CheckAnswer(absl::string_view extensions) {
  const auto is_ours = [](absl::string_view extension) {
    const std::pair<absl::string_view, absl::string_view> name = absl::StrSplit(extension, absl::MaxSplits(';', 1));
    return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(name.first), "permessage-deflate");
  };
  const std::vector<absl::string_view> all = absl::StrSplit(extensions, ',');
  const auto ours = std::count_if(all.begin(), all.end(), is_ours);
  if (ours > 1) return absl::InvalidArgumentError("the server answered permessage-deflate more than once");
  if (ours == 0 || all.size() > 1)
    return absl::InvalidArgumentError("the server chose an extension that was not offered");
  const std::vector<absl::string_view> parts = absl::StrSplit(extensions, ';');
  const auto fail = [](absl::string_view name, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("the server answered permessage-deflate with '", InertText(name, 64), "', ", what));
  };
  std::vector<std::string> names;
  for (const absl::string_view part : absl::MakeSpan(parts).subspan(1)) {
    const std::vector<absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(pair[0]));
    // Section 5: a parameter stands once; section 7.1: in an answer those alone may stand that were offered.
    if (absl::c_linear_search(names, name)) return fail(name, "twice");
    names.push_back(name);
    if (name == "server_max_window_bits") {
      absl::string_view value = pair.size() == 2 ? absl::StripAsciiWhitespace(pair[1]) : "";
      if (value.size() > 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      int bits = 0;
      if (!absl::SimpleAtoi(value, &bits) || value[0] == '0' || bits < 8 || bits > 15)
        return fail(absl::StripAsciiWhitespace(part), "which is no number from 8 to 15");
    } else if (name != "server_no_context_takeover" && name != "client_no_context_takeover") {
      return fail(name, "which was not offered");
    } else if (pair.size() == 2) {
      return fail(absl::StripAsciiWhitespace(part), "which takes no value");
    }
  }
  if (!absl::c_linear_search(names, "server_no_context_takeover")) {
    return absl::InvalidArgumentError(
        "the server answered permessage-deflate without 'server_no_context_takeover', which the offer asks for");
  }
  return absl::OkStatus();
}

MessageDeflate::MessageDeflate() : state_(std::make_unique<State>()) {
  CHECK(deflateInit2(&state_->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRawWindow, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK);
  CHECK(inflateInit2(&state_->inflate, kRawWindow) == Z_OK);
  state_->output.resize(kFirstOutput);
}

MessageDeflate::~MessageDeflate() {
  deflateEnd(&state_->deflate);
  inflateEnd(&state_->inflate);
}

void MessageDeflate::Compress(absl::string_view message, std::string* out) {
  z_stream& z = state_->deflate;
  deflateReset(&z);
  const std::size_t before = out->size();
  out->resize(before + deflateBound(&z, message.size()) + 16);
  z.next_in = In(message);
  z.avail_in = static_cast<uInt>(message.size());
  z.next_out = reinterpret_cast<Bytef*>(out->data() + before);
  z.avail_out = static_cast<uInt>(out->size() - before);
  CHECK(deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_in == 0);
  out->resize(out->size() - z.avail_out - kTail.size());
  if (out->size() == before) out->push_back('\0');  // an empty message, section 7.2.3.6
}

bool MessageDeflate::Decompress(absl::string_view bytes, std::uint64_t max_bytes, absl::string_view* message,
                                bool* is_too_big) {
  *is_too_big = false;
  z_stream& z = state_->inflate;
  inflateReset(&z);
  std::string& output = state_->output;
  std::size_t size = 0;
  for (const absl::string_view part : {bytes, kTail}) {
    z.next_in = In(part);
    z.avail_in = static_cast<uInt>(part.size());
    while (true) {
      if (size == output.size()) output.resize(2 * size);
      z.next_out = reinterpret_cast<Bytef*>(output.data() + size);
      z.avail_out = static_cast<uInt>(output.size() - size);
      const int result = inflate(&z, Z_SYNC_FLUSH);
      size = output.size() - z.avail_out;
      if (size > max_bytes) {
        *is_too_big = true;
        return false;
      }
      if (result == Z_STREAM_END) inflateReset(&z);  // a block marked as the last, section 7.2.3.5
      if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) return false;
      if (z.avail_in == 0 && z.avail_out > 0) break;
      if (result == Z_BUF_ERROR && z.avail_out > 0) return false;  // it makes no progress
    }
  }
  *message = absl::string_view(output).substr(0, size);
  return true;
}

}  // namespace tidemark

// Reads one HTTP/1.x response and keeps nothing of it but its status and its framing; of the first one of a failing
// status also what it says.
#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/exchange/first_answers.h"
#include "agent/wire/header_watch.h"

namespace tidemark {

// Limits on what a target may send.
struct ResponseLimits {
  std::uint64_t max_body_bytes = 64 << 20;
  static constexpr std::uint32_t kMaxHeaderBytes = 64 << 10;
};

// Keeps the status line's code and counts body bytes; every other event is dropped, but of a response that is wanted.
class ResponseJudge : public boost::beast::http::basic_parser<false> {
 public:
  // `first_answers` gets what the response says; null: nobody wants it. `follows`: redirects are followed.
  ResponseJudge(FirstAnswers* first_answers, bool follows)
      : answers(first_answers), is_followed(follows), wants_fields_(follows) {}

  FirstAnswers* const answers;
  const bool is_followed;
  int locations = 0;
  std::string location;              // of the last of them
  std::unique_ptr<Excerpt> excerpt;  // of a response that is wanted
  int status = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t chunk_left = 0;  // bytes to come of the chunk that has begun
  bool had_chunk = false;
  bool is_http_1_0 = false;

 private:
  using ErrorCode = boost::beast::error_code;
  using StringView = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb, StringView, StringView, int, ErrorCode& ec) override { ec = {}; }
  void on_response_impl(int code, StringView, int version, ErrorCode& ec) override {
    ec = {};
    is_http_1_0 = version == 10;
    status = code;  // three digits
    if (answers == nullptr || !answers->Wants(code)) return;
    excerpt = std::make_unique<Excerpt>();
    wants_fields_ = true;
  }
  void on_field_impl(boost::beast::http::field name, StringView, StringView value, ErrorCode& ec) override {
    ec = {};
    has_coding_ |= name == boost::beast::http::field::transfer_encoding;
    if (!wants_fields_ || is_header_done()) return;  // trailers say nothing of these
    if (excerpt != nullptr && name == boost::beast::http::field::content_type)
      excerpt->SetContentType({value.data(), value.size()});
    if (!is_followed || name != boost::beast::http::field::location) return;
    ++locations;
    location.assign(value.data(), value.size());
  }
  // RFC 9112 section 6.3: a length beside any transfer coding is an error. Beast sees that of a chunked body alone.
  void on_header_impl(ErrorCode& ec) override {
    ec = {};
    if (has_coding_ && content_length()) ec = boost::beast::http::error::bad_transfer_encoding;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode& ec) override { ec = {}; }
  std::size_t on_body_impl(StringView body, ErrorCode& ec) override {
    ec = {};
    return Take(body);
  }
  void on_chunk_header_impl(std::uint64_t size, StringView, ErrorCode& ec) override {
    ec = {};
    chunk_left = size;
    had_chunk = true;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, StringView body, ErrorCode& ec) override {
    ec = {};
    chunk_left -= body.size();
    return Take(body);
  }
  void on_finish_impl(ErrorCode& ec) override { ec = {}; }
  std::size_t Take(StringView body) {
    body_bytes += body.size();
    if (excerpt != nullptr) excerpt->Append({body.data(), body.size()});
    return body.size();
  }

  bool wants_fields_;
  bool has_coding_ = false;  // a Transfer-Encoding
};

// A response that is being parsed, since its header is not the known one.
struct UnknownResponse {
  std::optional<ResponseJudge> judge;
  HeaderWatch watch;              // of what the judge has not taken
  std::size_t interim_bytes = 0;  // of all interim responses before it
  bool is_watching = false;

  // Whether a chunk's header comes next, or what lies behind the last chunk.
  bool IsBeforeChunk() const { return judge->is_header_done() && judge->chunked() && judge->chunk_left == 0; }
};

// The header block of the last complete response, and what Beast's parser made of it. A response whose header block
// is byte for byte the same has the same framing, so it need not be parsed again. Owned by a worker.
struct KnownHeader {
  std::string block = {};  // empty: none known
  std::uint64_t body_bytes = 0;
  int status = 0;
  bool is_head = false;
  FirstAnswers* first_answers = nullptr;  // gets what a parsed response says; null: nobody wants it
  bool is_followed = false;               // redirects are: they never become known, and where they lead is kept
  std::vector<std::unique_ptr<UnknownResponse>> spare = {};  // for those that are to be parsed
};

// Parses one response after another on one connection; Boost.Beast's basic_parser is the judge of what is HTTP.
// Interim (1xx) responses are skipped, except 101, which is final; all of them together may be as long as one header.
// What can never become a response is malformed at once, however it is cut. See HeaderWatch.
// Use: Start, then Feed until it says kComplete or kFailed, or FeedEnd when the peer closes; Rest, once all is asked.
class ResponseParser {
 public:
  // kMayLead: complete, and of a request that follows redirects. What the response says is not kept yet: KeepPart does
  // so, if it is the answer.
  enum class Progress : std::uint8_t { kNeedMore, kComplete, kMayLead, kFailed };
  struct Result {
    Progress progress = Progress::kNeedMore;
    std::size_t consumed = 0;  // the rest of the bytes must be fed again, with what follows them
    int error = 0;             // with kFailed: EBADMSG, EMSGSIZE, or 0 for an early end
  };

  // `is_head`: the response to a HEAD request, which has no body whatever its header says.
  void Start(bool is_head);

  // The response to come is parsed though its header be known. Between Start and Feed.
  void ParseAnyway() {
    is_untouched_ = false;
    if (unknown_ != nullptr) unknown_->judge.reset();
  }

  // No response is awaited: what it was parsed with goes back to `known`, so that idle connections hold none of it.
  void Rest(KnownHeader* known) {
    if (unknown_ != nullptr) [[unlikely]]
      GiveBack(known);
  }

  // `known` may be used and renewed; it must be the same object for all responses to one request template.
  Result Feed(absl::string_view bytes, const ResponseLimits& limits, KnownHeader* known);

  // The peer has closed its side: completes a body that runs until close.
  Result FeedEnd();

  // Keeps what has come of a response that is wanted, though more of it may follow. False if nothing can be kept yet.
  bool KeepPart();
  // Whether more of the response would add to what is kept.
  bool WantsMore() const { return IsParsed() && judge().excerpt != nullptr && !judge().excerpt->IsFull(); }

  // Whether 100 Continue has come since ForgetContinue.
  bool HasContinue() const { return has_continue_; }
  void ForgetContinue() { has_continue_ = false; }

  // Of the complete response.
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  // ... the field Location, if it stands there once. Of kMayLead alone; valid until the next Start, or Rest.
  absl::string_view location() const { return judge().locations == 1 ? judge().location : absl::string_view(); }

 private:
  // Some of the response has come, and its header was not known.
  bool IsParsed() const { return !is_untouched_ && !is_known_ && unknown_ != nullptr && unknown_->judge.has_value(); }
  ResponseJudge& judge() { return *unknown_->judge; }
  const ResponseJudge& judge() const { return *unknown_->judge; }
  void StartJudge(const ResponseLimits& limits, const KnownHeader& known);
  void GiveBack(KnownHeader* known);
  std::size_t Put(absl::string_view bytes, boost::beast::error_code* error);
  std::size_t PutOdd(absl::string_view bytes, boost::beast::error_code* error);
  Result Complete(std::size_t consumed);
  static Result Fail(int error) { return {.progress = Progress::kFailed, .error = error}; }

  std::unique_ptr<UnknownResponse> unknown_;  // from the first response that is parsed, until Rest
  std::uint64_t body_left_ = 0;               // of a response whose header was known
  int status_ = 0;
  bool is_known_ = false;  // the header was known: body_left_ counts
  bool is_head_ = false;
  bool keep_alive_ = false;
  bool is_untouched_ = true;
  bool has_continue_ = false;
};

}  // namespace tidemark

#include "agent/exchange/response_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/compose/redirect.h"

namespace tidemark {
namespace {

namespace http = boost::beast::http;

// A header block larger than this is parsed each time: comparing it would cost as much.
constexpr std::size_t kMaxKnownBytes = 2048;

// A chunked body never ends in fewer bytes than "0\r\n\r\n". Beast 1.81 asserts that it sees as many when it comes back
// to a last chunk, which a peer that sends byte by byte would disprove: fewer are watched until a header is whole.
constexpr std::size_t kMinChunkedRest = 5;

int ErrorOf(const boost::beast::error_code& ec) {
  const bool is_limit =
      ec == http::error::header_limit || ec == http::error::body_limit || ec == http::error::buffer_overflow;
  return is_limit ? EMSGSIZE : EBADMSG;
}

bool IsInterim(int status) { return status / 100 == 1 && status != 101; }

}  // namespace

void ResponseParser::Start(bool is_head) {
  is_head_ = is_head;
  is_untouched_ = true;
  is_known_ = false;
}

void ResponseParser::GiveBack(KnownHeader* known) {
  unknown_->judge.reset();
  known->spare.push_back(std::move(unknown_));
}

void ResponseParser::StartJudge(const ResponseLimits& limits, const KnownHeader& known) {
  unknown_->judge.emplace(known.first_answers, known.is_followed);
  unknown_->is_watching = false;
  judge().eager(true);
  judge().skip(is_head_);
  judge().header_limit(ResponseLimits::kMaxHeaderBytes);
  judge().body_limit(limits.max_body_bytes);
}

ResponseParser::Result ResponseParser::Complete(std::size_t consumed) {
  status_ = judge().status;
  // RFC 9112 section 6.1: HTTP/1.0 knows no chunks.
  const bool is_framing_faulty = judge().is_http_1_0 && judge().chunked();
  keep_alive_ = judge().keep_alive() && status_ != 101 && !is_framing_faulty;
  if (judge().is_followed) return {.progress = Progress::kMayLead, .consumed = consumed};
  KeepPart();
  return {.progress = Progress::kComplete, .consumed = consumed};
}

bool ResponseParser::KeepPart() {
  if (!IsParsed() || judge().excerpt == nullptr || !judge().is_header_done()) return false;
  judge().answers->Keep(judge().status, *judge().excerpt);
  return true;
}

std::size_t ResponseParser::Put(absl::string_view bytes, boost::beast::error_code* error) {
  return judge().put(boost::asio::const_buffer(bytes.data(), bytes.size()), *error);
}

// Of a header that is whole but odd. REQUIRES: it begins `bytes`.
std::size_t ResponseParser::PutOdd(absl::string_view bytes, boost::beast::error_code* error) {
  Put(unknown_->watch.Plain(bytes), error);
  return unknown_->watch.size();
}

ResponseParser::Result ResponseParser::Feed(absl::string_view bytes, const ResponseLimits& limits, KnownHeader* known) {
  if (is_untouched_ && !known->block.empty() && bytes.size() >= known->block.size() && known->is_head == is_head_ &&
      std::memcmp(bytes.data(), known->block.data(), known->block.size()) == 0) {
    is_known_ = true;
    is_untouched_ = false;
    body_left_ = known->body_bytes;
    status_ = known->status;
    keep_alive_ = true;
    const std::size_t body = std::min<std::uint64_t>(body_left_, bytes.size() - known->block.size());
    body_left_ -= body;
    return {.progress = body_left_ == 0 ? Progress::kComplete : Progress::kNeedMore,
            .consumed = known->block.size() + body};
  }
  if (is_known_) {
    const std::size_t body = std::min<std::uint64_t>(body_left_, bytes.size());
    body_left_ -= body;
    return {.progress = body_left_ == 0 ? Progress::kComplete : Progress::kNeedMore, .consumed = body};
  }

  const bool is_whole = is_untouched_;  // all of the response came in this call
  is_untouched_ = false;
  if (unknown_ == nullptr) {
    if (known->spare.empty()) known->spare.push_back(std::make_unique<UnknownResponse>());
    unknown_ = std::move(known->spare.back());
    known->spare.pop_back();
  }
  UnknownResponse& u = *unknown_;
  if (is_whole || !u.judge) {
    StartJudge(limits, *known);
    u.interim_bytes = 0;
  }
  std::size_t used = 0;
  std::size_t start = 0;
  while (used < bytes.size()) {
    const absl::string_view rest = bytes.substr(used);
    if (rest.size() < kMinChunkedRest && !u.is_watching && u.IsBeforeChunk()) {
      u.watch.BeginChunk(!u.judge->had_chunk);
      u.is_watching = true;
    }
    if (u.is_watching) {
      const HeaderWatch::Verdict verdict = u.watch.Look(rest);
      if (verdict == HeaderWatch::Verdict::kBad) return Fail(EBADMSG);
      if (verdict == HeaderWatch::Verdict::kMayGoOn)
        return rest.size() >= ResponseLimits::kMaxHeaderBytes ? Fail(EMSGSIZE) : Result{.consumed = used};
    }
    const bool was_watched = std::exchange(u.is_watching, false);
    boost::beast::error_code ec;
    const std::size_t taken = was_watched && u.watch.IsOdd() ? PutOdd(rest, &ec) : Put(rest, &ec);
    used += taken;
    if (ec && !u.judge->is_header_done()) {
      // Not all of the header has come, or it is none, or an odd one.
      if (was_watched) return Fail(ErrorOf(ec));
      u.watch.BeginResponse();
      const HeaderWatch::Verdict verdict = u.watch.Look(bytes.substr(start));
      const bool is_refused = ec != http::error::need_more && !u.watch.IsOdd();
      if (is_refused || verdict == HeaderWatch::Verdict::kBad) return Fail(ErrorOf(ec));
      StartJudge(limits, *known);
      u.is_watching = true;
      used = start;
      continue;
    }
    if (ec == http::error::need_more && (!was_watched || taken > 0)) {
      u.watch.BeginChunk(!u.judge->had_chunk);
      u.is_watching = true;
      continue;
    }
    if (ec) return Fail(ErrorOf(ec));
    if (u.judge->is_done()) {
      if (!IsInterim(u.judge->status)) {
        const Result result = Complete(used);
        const std::size_t header_bytes = used - start - u.judge->body_bytes;
        const bool leads = u.judge->is_followed && IsRedirect(status_);
        if (is_whole && start == 0 && keep_alive_ && !u.judge->chunked() && header_bytes <= kMaxKnownBytes && !leads) {
          known->block.assign(bytes.data(), header_bytes);
          known->body_bytes = u.judge->body_bytes;
          known->status = status_;
          known->is_head = is_head_;
        }
        return result;
      }
      has_continue_ |= u.judge->status == 100;
      u.interim_bytes += used - start;
      if (u.interim_bytes > ResponseLimits::kMaxHeaderBytes) return Fail(EMSGSIZE);
      start = used;
      StartJudge(limits, *known);
      continue;
    }
    if (taken == 0) return Fail(EBADMSG);
  }
  return {.consumed = used};
}

ResponseParser::Result ResponseParser::FeedEnd() {
  if (!IsParsed() || !judge().got_some()) return Fail(0);
  boost::beast::error_code ec;
  judge().put_eof(ec);
  if (ec == http::error::partial_message || ec == http::error::end_of_stream) return Fail(0);
  if (ec) return Fail(ErrorOf(ec));
  if (!judge().is_done() || IsInterim(judge().status)) return Fail(0);
  const Result result = Complete(0);
  keep_alive_ = false;
  return result;
}

}  // namespace tidemark

#include "agent/response_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <cstring>

namespace tidemark {
namespace {

namespace http = boost::beast::http;

// A header block larger than this is parsed each time: comparing it would cost as much.
constexpr std::size_t kMaxKnownBytes = 2048;

// A chunked body never ends in fewer bytes than "0\r\n\r\n". Beast 1.81 asserts that it sees as many when it comes back
// to a last chunk, which a peer that sends byte by byte would disprove: wait for them.
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
  judge_.reset();
}

void ResponseParser::StartJudge(const ResponseLimits& limits, FirstAnswers* answers) {
  judge_.emplace(answers);
  judge_->eager(true);
  judge_->skip(is_head_);
  judge_->header_limit(ResponseLimits::kMaxHeaderBytes);
  judge_->body_limit(limits.max_body_bytes);
}

ResponseParser::Result ResponseParser::Complete(std::size_t consumed) {
  status_ = judge_->status;
  keep_alive_ = judge_->keep_alive() && status_ != 101;
  KeepPart();
  return {.progress = Progress::kComplete, .consumed = consumed};
}

bool ResponseParser::KeepPart() {
  if (!judge_ || judge_->excerpt == nullptr || !judge_->is_header_done()) return false;
  judge_->answers->Keep(judge_->status, *judge_->excerpt);
  return true;
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

  bool is_whole = is_untouched_;  // all of the response came in this call
  is_untouched_ = false;
  if (!judge_) StartJudge(limits, known->first_answers);
  std::size_t used = 0;
  std::size_t start = 0;
  while (used < bytes.size()) {
    if (judge_->is_header_done() && judge_->chunked() && bytes.size() - used < kMinChunkedRest) break;
    boost::beast::error_code ec;
    const std::size_t taken = judge_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
    used += taken;
    if (ec == http::error::need_more) {
      const bool is_too_long = bytes.size() - used >= ResponseLimits::kMaxHeaderBytes;
      return is_too_long ? Fail(EMSGSIZE) : Result{.consumed = used};
    }
    if (ec) return Fail(ErrorOf(ec));
    if (judge_->is_done()) {
      if (!IsInterim(judge_->status)) {
        const Result result = Complete(used);
        const std::size_t header_bytes = used - start - judge_->body_bytes;
        if (is_whole && start == 0 && keep_alive_ && !judge_->chunked() && header_bytes <= kMaxKnownBytes) {
          known->block.assign(bytes.data(), header_bytes);
          known->body_bytes = judge_->body_bytes;
          known->status = status_;
          known->is_head = is_head_;
        }
        return result;
      }
      start = used;
      StartJudge(limits, known->first_answers);
      continue;
    }
    if (taken == 0) return Fail(EBADMSG);
  }
  return {.consumed = used};
}

ResponseParser::Result ResponseParser::FeedEnd() {
  if (is_known_ || !judge_ || !judge_->got_some()) return Fail(0);
  boost::beast::error_code ec;
  judge_->put_eof(ec);
  if (ec == http::error::partial_message || ec == http::error::end_of_stream) return Fail(0);
  if (ec) return Fail(ErrorOf(ec));
  if (!judge_->is_done() || IsInterim(judge_->status)) return Fail(0);
  const Result result = Complete(0);
  keep_alive_ = false;
  return result;
}

}  // namespace tidemark

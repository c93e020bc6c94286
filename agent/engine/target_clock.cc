#include "agent/engine/target_clock.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/compose/request_source.h"
#include "agent/wire/json_pointers.h"
#include "common/plan/authority.h"

namespace tidemark {
namespace {

constexpr int kFirstReadings = 8;
constexpr Nanos kFirstInterval = 37 * kMillisecond;  // no part of a millisecond is met twice
constexpr Nanos kDrift = 10'000;                     // one part in so many: 100 ppm
constexpr std::size_t kMaxAnswer = 64 << 10;
constexpr char kNoTurn[] = "the ceilings of the agent's --allow-list left it no turn in time";

absl::Status NotFound(absl::string_view what) {
  return absl::NotFoundError(absl::StrCat("web_socket.listen.clock: ", what));
}

}  // namespace

void ClockBounds::Add(Nanos sent, Nanos received, Nanos shown, Nanos unit) {
  const Nanos low = shown - received;
  const Nanos high = shown + unit - sent;
  const Nanos widening = std::max<Nanos>(0, received - at_) / kDrift + 1;
  if (readings_ > 0 && low <= high_ + widening && high >= low_ - widening) {
    low_ = std::max(low, low_ - widening);
    high_ = std::min(high, high_ + widening);
  } else {
    steps_ += readings_ > 0 ? 1 : 0;
    low_ = low;
    high_ = high;
  }
  at_ = received;
  ++readings_;
}

// One connection to the target, which is opened when it is needed.
class TargetClock::Line {
 public:
  struct Answer {
    std::string body;
    Nanos sent = 0;
    Nanos received = 0;
  };

  // Sends `request` and reads the answer. Errors: NotFound.
  absl::StatusOr<Answer> Get(const Settings& settings, const std::string& request) {
    auto answer = TryGet(settings, request);
    if (!answer.ok() || !is_reusable_) {
      transport_.Close();
      is_open_ = false;
    }
    return answer;
  }

 private:
  absl::StatusOr<Answer> TryGet(const Settings& settings, const std::string& request) {
    patience_ = settings.patience.AtMost(settings.timeout);
    is_reusable_ = false;
    if (!is_open_) {
      if (!Await(settings.connects.get())) return NotFound(kNoTurn);
      IoResult io = transport_.Connect(settings.address, nullptr);
      if (io.kind == IoResult::Kind::kWantWrite && Wait(POLLOUT)) io = transport_.FinishConnect();
      if (io.kind != IoResult::Kind::kDone)
        return NotFound(absl::StrCat("connect to ", settings.address.ToString(), ": ",
                                     std::strerror(io.error == 0 ? ETIMEDOUT : io.error)));
      while (settings.tls != nullptr) {
        io = transport_.Handshake(settings.tls.get(), ServerName(settings.target.host));
        if (io.kind == IoResult::Kind::kDone) break;
        if (!WaitFor(io)) return NotFound(absl::StrCat("TLS: ", transport_.TlsError()));
      }
      is_open_ = true;
    }
    if (!Await(settings.sends.get())) return NotFound(kNoTurn);
    Answer answer{.body = "", .sent = WallNow()};
    for (absl::string_view rest = request; !rest.empty();) {
      const IoResult io = transport_.Send(rest);
      if (io.kind == IoResult::Kind::kDone) {
        rest.remove_prefix(io.bytes);
      } else if (!WaitFor(io)) {
        return NotFound("the target closed the connection");
      }
    }
    boost::beast::http::response_parser<boost::beast::http::string_body> parser;
    parser.eager(true);
    parser.body_limit(kMaxAnswer);
    std::string unread;
    while (!parser.is_done()) {
      char buffer[4096];
      const IoResult io = transport_.Receive(buffer, sizeof buffer);
      if (io.kind != IoResult::Kind::kDone) {
        if (WaitFor(io)) continue;
        return NotFound("no whole answer in time");
      }
      answer.received = WallNow();
      unread.append(buffer, io.bytes);
      boost::beast::error_code error;
      const std::size_t used = parser.put(boost::asio::buffer(unread), error);
      if (error && error != boost::beast::http::error::need_more)
        return NotFound(absl::StrCat("the answer is no HTTP: ", error.message()));
      unread.erase(0, used);
      if (unread.size() > kMaxAnswer) return NotFound("the answer is too long");
    }
    if (parser.get().result_int() != 200)
      return NotFound(absl::StrCat("answered with status ", parser.get().result_int()));
    is_reusable_ = parser.keep_alive() && unread.empty();
    answer.body = std::move(parser.get().body());
    return answer;
  }

  // Whether there is something to be done again before the deadline.
  bool WaitFor(const IoResult& io) {
    if (io.kind == IoResult::Kind::kWantRead) return Wait(POLLIN);
    return io.kind == IoResult::Kind::kWantWrite && Wait(POLLOUT);
  }
  // Waits for its turn under one of the agent's ceilings; false if it has none in time.
  bool Await(Budget* budget) {
    while (budget != nullptr && budget->Take(1, MonotonicNow()) == 0) {
      if (patience_.IsOver()) return false;
      patience_.Sleep(std::max(kMillisecond, budget->ReadyAt() - MonotonicNow()));
    }
    return true;
  }
  bool Wait(short events) { return patience_.WaitFor(transport_.fd(), events); }

  Transport transport_;
  bool is_open_ = false;
  bool is_reusable_ = false;
  Patience patience_;
};

TargetClock::TargetClock(Settings settings) : settings_(std::move(settings)), line_(std::make_unique<Line>()) {}

absl::StatusOr<std::unique_ptr<TargetClock>> TargetClock::Start(Settings settings) {
  std::unique_ptr<TargetClock> clock(new TargetClock(std::move(settings)));
  absl::Status status;
  for (int i = 0; i < kFirstReadings; ++i) {
    if (i > 0) clock->settings_.patience.Sleep(kFirstInterval);
    const Nanos asked = MonotonicNow();
    status = clock->Ask();
    // Who is silent once is not asked again and again.
    const bool is_silent = !status.ok() && MonotonicNow() - asked >= clock->settings_.timeout;
    if (is_silent || clock->settings_.patience.IsOver()) break;
  }
  if (clock->Latest().bounds.readings() == 0) return status;
  clock->settings_.patience = clock->settings_.patience.WithoutDeadline();
  clock->questions_ = std::make_unique<Periodic>(clock->settings_.every, [raw = clock.get()] {
    const std::atomic<Nanos>* const lease = raw->settings_.lease;
    if (lease == nullptr || MonotonicNow() <= lease->load()) raw->Ask().IgnoreError();  // counted
  });
  return clock;
}

TargetClock::~TargetClock() = default;

TargetClock::Reading TargetClock::Latest() {
  MutexLock lock(&mutex_);
  return reading_;
}

absl::Status TargetClock::Ask() {
  proto::Request request;
  request.set_method("GET");
  const auto answer = line_->Get(settings_, *SerializeRequest(request, settings_.target).bytes);
  std::optional<JsonPointers::Instant> shown;
  if (answer.ok()) {
    JsonPointers json;
    json.Read(answer->body);
    shown = json.GetInstant(settings_.pointer, settings_.unit);
  }
  MutexLock lock(&mutex_);
  if (!shown) {
    ++reading_.failures;
    return answer.ok() ? NotFound(absl::StrCat("the answer has no time at '", settings_.pointer, "'"))
                       : answer.status();
  }
  reading_.bounds.Add(answer->sent, std::max(answer->sent, answer->received), shown->at, shown->step);
  offset_ = reading_.bounds.offset();
  return absl::OkStatus();
}

}  // namespace tidemark

#include "coordinator/observe/terminal_view.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "common/inert_text.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

constexpr Nanos kFrame = kSecond / 4;
// As far as anybody's screen goes: a frame is made in that time, and in that memory.
constexpr std::size_t kMaxColumns = ShownRun::kMaxSeconds;
constexpr std::size_t kMaxRows = 256;

}  // namespace

TerminalView::TerminalView(proto::Report head, Terminal* terminal, Options options)
    : terminal_(terminal), options_(std::move(options)), is_listening_(IsListening(head)) {
  run_.head = std::move(head);
  run_.begin = MonotonicNow();
  run_.point_begin = run_.begin;
  painter_ = std::thread([this] { Paint(); });
}

TerminalView::~TerminalView() {
  {
    MutexLock lock(&mutex_);
    is_over_ = true;
  }
  terminal_->Wake();
  painter_.join();
  terminal_->Leave();
}

// A point that is made again takes the place of its first attempt.
void TerminalView::BeginPoint(const PointBegin& point) {
  MutexLock lock(&mutex_);
  if (run_.judged.size() > point.index) run_.judged.resize(point.index);
  run_.is_begun = true;
  run_.is_ended = false;
  run_.point = point;
  run_.point_begin = MonotonicNow();
  run_.so_far = PointSoFar();
  run_.seconds.clear();
}

void TerminalView::Update(const PointSoFar& so_far) {
  MutexLock lock(&mutex_);
  run_.so_far = so_far;
}

void TerminalView::AddWindow(const std::shared_ptr<const WindowSum>& window) {
  MutexLock lock(&mutex_);
  // What comes while a point drains belongs to none of its seconds.
  if (run_.point.length != 0 && static_cast<Nanos>(window->second) * kSecond >= run_.point.length) return;
  const std::uint64_t count = is_listening_ ? window->messages : window->requests;
  run_.seconds.push_back({.per_s = static_cast<double>(count),
                          .p50_us = window->p50_us,
                          .p99_us = window->p99_us,
                          .lateness_p99_us = window->lateness_p99_us});
  if (run_.seconds.size() > ShownRun::kMaxSeconds) run_.seconds.pop_front();
}

void TerminalView::EndPoint(const PointSoFar& so_far) {
  MutexLock lock(&mutex_);
  run_.so_far = so_far;
  if (so_far.judged == nullptr) return;
  run_.is_ended = true;
  run_.judged.push_back(*so_far.judged);
}

void TerminalView::Say(const std::string& text) {
  MutexLock lock(&mutex_);
  const std::string inert = InertText(text, text.size());
  std::fprintf(stderr, "tidemark: %s\n", inert.c_str());
  run_.message = inert;
  ++run_.messages;
}

void TerminalView::Paint() {
  Nanos next = MonotonicNow() + kFrame;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (is_over_) return;
    }
    const Nanos wait = std::max<Nanos>(0, next - MonotonicNow());
    pollfd wanted[] = {{.fd = terminal_->wake_descriptor(), .events = POLLIN, .revents = 0},
                       {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
    const bool has_keys = has_input_ && terminal_->HasKeys();
    poll(wanted, has_keys ? 2 : 1, static_cast<int>(wait / kMillisecond) + 1);
    if (has_keys && wanted[1].revents != 0) ReadKeys();
    const bool is_woken = wanted[0].revents != 0;
    if (is_woken) terminal_->Calm();
    if (!is_woken && MonotonicNow() < next) continue;
    next = MonotonicNow() + kFrame;
    ShowFrame();
  }
}

void TerminalView::ReadKeys() {
  char keys[64];
  const ssize_t got = read(STDIN_FILENO, keys, sizeof keys);
  has_input_ = got > 0;
  if (got <= 0 || is_last_ || std::find(keys, keys + got, 'q') == keys + got) return;
  is_last_ = true;
  {
    MutexLock lock(&mutex_);
    run_.is_last = true;
  }
  if (options_.end_after_point) options_.end_after_point();
  terminal_->Wake();
}

void TerminalView::ShowFrame() {
  if (!terminal_->Enter()) return;
  const Terminal::Size size = terminal_->size();
  if (size.columns == 0 || size.rows == 0) return;
  const Screen screen = {.columns = std::min(size.columns, kMaxColumns),
                         .rows = std::min(size.rows, kMaxRows),
                         .has_color = options_.has_color,
                         .is_utf8 = options_.is_utf8,
                         .has_keys = options_.end_after_point != nullptr && has_input_ && terminal_->HasKeys()};
  std::vector<TerminalLine> lines;
  {
    MutexLock lock(&mutex_);
    run_.now = MonotonicNow();
    lines = MakeFrame(run_, screen);
  }
  terminal_->Show(FrameBytes(lines, screen));
}

}  // namespace tidemark

#include "coordinator/observe/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/check.h"
#include "common/clock.h"

namespace tidemark {
namespace {

// Alternate screen, no cursor, no wrapping at the last column; all of it cleared.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
// Also ends a synchronised update, and a sequence that was cut off.
constexpr char kLeave[] = "\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr int kPatience = 1'000;     // ms, for what was shown last
constexpr int kStopPatience = 100;   // ms, where somebody waits for the process to stop
constexpr off_t kMaxKept = 1 << 20;  // bytes of stderr
constexpr int kBroken[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV};

// The one that is entered, for a handler of signals, which is given nothing else to find it by.
std::atomic<void*> entered = nullptr;

void SetModes(int tty, const termios& modes) {
  // From the background, too: whoever asks is about to leave.
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  tcsetattr(tty, TCSANOW, &modes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// What is typed comes at once, and is not shown; Ctrl-C and Ctrl-Z stay signals.
void SetOwnModes(int tty, termios modes) {
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VTIME] = 0;
  SetModes(tty, modes);
}

void WaitToWrite(int tty, int milliseconds) {
  pollfd wanted = {.fd = tty, .events = POLLOUT, .revents = 0};
  poll(&wanted, 1, milliseconds);
}

}  // namespace

std::unique_ptr<Terminal> Terminal::Open() {
  CHECK(entered.load() == nullptr);
  if (isatty(STDERR_FILENO) == 0) return nullptr;
  const int tty = open("/proc/self/fd/2", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (tty < 0) return nullptr;
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    close(tty);
    return nullptr;
  }
  return std::unique_ptr<Terminal>(new Terminal(tty, wake));
}

Terminal::~Terminal() {
  Leave();
  close(saved_.tty);
  close(wake_);
}

Terminal::Size Terminal::size() const {
  winsize size = {};
  if (ioctl(saved_.tty, TIOCGWINSZ, &size) != 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

// Without job control there is no other group that could have it.
bool Terminal::IsForeground() const {
  const pid_t group = tcgetpgrp(saved_.tty);
  return group == -1 || group == getpgrp();
}

bool Terminal::Enter() {
  MutexLock lock(&mutex_);
  if (is_over_ || is_gone_ || is_suspended_) return false;
  if (saved_.is_entered) return true;
  if (!IsForeground() || tcgetattr(saved_.tty, &saved_.modes) != 0) return false;
  KeepErrors();
  saved_.is_entered = true;
  entered = this;
  for (const int signal : kBroken) {
    struct sigaction now;
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;  // a sanitizer's
    struct sigaction action = {};
    action.sa_handler = OnBroken;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, nullptr);
  }
  SetOwnModes(saved_.tty, saved_.modes);
  pending_ = kEnter;
  Flush();
  return true;
}

void Terminal::Show(absl::string_view bytes) {
  MutexLock lock(&mutex_);
  if (!saved_.is_entered || is_over_ || is_suspended_ || !IsForeground() || !Flush()) return;
  pending_.assign(bytes.data(), bytes.size());
  Flush();
}

// Whether nothing waits any more.
bool Terminal::Flush() {
  while (!pending_.empty() && !is_gone_) {
    const ssize_t written = write(saved_.tty, pending_.data(), pending_.size());
    if (written > 0) {
      pending_.erase(0, static_cast<std::size_t>(written));
    } else if (written == 0 || errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      is_gone_ = true;
    }
  }
  return !is_gone_;
}

// In memory of a fixed size: who writes more is told that there is no room.
void Terminal::KeepErrors() {
  if (saved_.errors >= 0) return;
  const int kept = memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  fflush(stderr);
  const bool is_kept = kept >= 0 && errors >= 0 && ftruncate(kept, kMaxKept) == 0 &&
                       fcntl(kept, F_ADD_SEALS, F_SEAL_GROW) == 0 && dup2(kept, STDERR_FILENO) >= 0;
  if (is_kept) {
    saved_.kept = kept;
    saved_.errors = errors;
    return;
  }
  if (kept >= 0) close(kept);
  if (errors >= 0) close(errors);
}

// Safe in a handler of signals. What was kept goes to the descriptor `to`; if that does not wait, as much as it takes.
void Terminal::ReleaseErrors(Saved* saved, int to) {
  if (saved->errors < 0) return;
  dup2(saved->errors, STDERR_FILENO);
  const off_t length = lseek(saved->kept, 0, SEEK_CUR);
  char buffer[4096];
  for (off_t at = 0; at < length;) {
    const ssize_t got = pread(saved->kept, buffer, std::min(sizeof buffer, static_cast<std::size_t>(length - at)), at);
    if (got <= 0) break;
    at += got;
    for (ssize_t from = 0; from < got;) {
      const ssize_t written = write(to, buffer + from, static_cast<std::size_t>(got - from));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      from += written;
    }
  }
  close(saved->errors);
  close(saved->kept);
  saved->errors = saved->kept = -1;
}

// Safe in a handler of signals; waits for nothing.
void Terminal::GiveBack(Saved* saved) {
  if (!saved->is_entered.exchange(false)) return;
  constexpr ssize_t kLength = sizeof kLeave - 1;
  if (write(saved->tty, kLeave, kLength) != kLength) {
    tcflush(saved->tty, TCOFLUSH);
    [[maybe_unused]] const ssize_t written = write(saved->tty, kLeave, kLength);
  }
  tcsetattr(saved->tty, TCSANOW, &saved->modes);
}

void Terminal::OnBroken(int signal) {
  if (auto* const terminal = static_cast<Terminal*>(entered.load()); terminal != nullptr) {
    GiveBack(&terminal->saved_);
    ReleaseErrors(&terminal->saved_, terminal->saved_.tty);
  }
  raise(signal);  // as if nobody had handled it
}

void Terminal::Leave() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(is_over_, true)) return;
  }
  const Nanos give_up = MonotonicNow() + kPatience * kMillisecond;
  bool is_leaving = false;
  bool has_dropped = false;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!saved_.is_entered) break;
      Flush();
      const bool is_dropping = !pending_.empty() && !has_dropped && MonotonicNow() >= give_up;
      if (is_dropping) has_dropped = tcflush(saved_.tty, TCOFLUSH) == 0;
      if (is_dropping || (pending_.empty() && !is_leaving)) {
        is_leaving = true;
        pending_ = kLeave;
        Flush();
      }
      if ((is_leaving && pending_.empty()) || is_gone_) {
        saved_.is_entered = false;
        SetModes(saved_.tty, saved_.modes);
        break;
      }
    }
    WaitToWrite(saved_.tty, 50);
  }
  MutexLock lock(&mutex_);
  entered = nullptr;
  ReleaseErrors(&saved_, STDERR_FILENO);
}

void Terminal::LeaveNow() {
  MutexLock lock(&mutex_);
  is_over_ = true;
  GiveBack(&saved_);
  entered = nullptr;
  ReleaseErrors(&saved_, saved_.tty);
}

void Terminal::Suspend() {
  MutexLock lock(&mutex_);
  is_suspended_ = true;
  if (!saved_.is_entered) return;
  if (!Flush()) WaitToWrite(saved_.tty, kStopPatience);
  pending_.clear();
  GiveBack(&saved_);
}

void Terminal::Resume() {
  {
    MutexLock lock(&mutex_);
    is_suspended_ = false;
    // Stopped by a signal that nobody can hear of: whoever had the terminal meanwhile did as it liked with it.
    if (saved_.is_entered && IsForeground()) {
      SetOwnModes(saved_.tty, saved_.modes);
      pending_ = kEnter;
    }
  }
  Wake();
}

bool Terminal::HasKeys() const {
  struct stat input;
  struct stat terminal;
  return saved_.is_entered && IsForeground() && fstat(STDIN_FILENO, &input) == 0 && fstat(saved_.tty, &terminal) == 0 &&
         S_ISCHR(input.st_mode) && input.st_rdev == terminal.st_rdev;
}

void Terminal::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

void Terminal::Calm() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof count);
}

}  // namespace tidemark

// The terminal that a live view has to itself for a while, and gets back as it was.
#pragma once

#include <signal.h>
#include <termios.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/mutex.h"

namespace tidemark {

// The terminal of stderr. While it is entered it shows its alternate screen without a cursor, and does not echo; what
// anybody writes to stderr is kept and comes on it when it is left. Whatever ends the process gives it back: the
// destructor, LeaveNow, or a signal that says that the program is broken.
// Threads: any. Invariants: 1. nobody waits for the terminal but Leave; 2. while another process group has the terminal
// in hand nothing is written to it.
class Terminal {
 public:
  struct Size {
    std::size_t columns = 0;  // 0, 0: not known
    std::size_t rows = 0;
  };

  // Changes nothing yet. Null if stderr is no terminal, or none that can be opened again: only what is opened again can
  // be written to without waiting, since who shares a descriptor shares whether it waits.  REQUIRES: there is one.
  static std::unique_ptr<Terminal> Open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  Size size() const;

  // Enters it if it can be and has not been; whether it is entered now.
  bool Enter();
  // Shows `bytes` with one write. Nothing while the terminal has not taken what was shown before.
  void Show(absl::string_view bytes);
  // Gives it back for good, and with it what was kept of stderr. What the terminal has not taken within a second is
  // dropped; for the sequence that leaves the alternate screen it waits for as long as a user has stopped it (Ctrl-S).
  void Leave();
  // The same at once, from a process that ends: what cannot be written is not.
  void LeaveNow();

  // The process is about to stop (Ctrl-Z): gives it back until Resume.
  void Suspend();
  // It goes on: the terminal may be entered again.
  void Resume();

  // Whether keys may be read from stdin: the terminal is entered, and is it.
  bool HasKeys() const;
  // Readable when there is something new to show; Wake makes it so, and Calm not.
  int wake_descriptor() const { return wake_; }
  void Wake();
  void Calm();

 private:
  // What a signal handler needs.
  struct Saved {
    int tty = -1;     // the terminal, opened again
    int errors = -1;  // stderr, as it was; -1: it is not kept
    int kept = -1;    // what is kept of it
    termios modes = {};
    std::atomic<bool> is_entered = false;
  };

  explicit Terminal(int tty, int wake) : wake_(wake) { saved_.tty = tty; }

  static void OnBroken(int signal);
  static void GiveBack(Saved* saved);
  static void ReleaseErrors(Saved* saved, int to);
  bool IsForeground() const;
  bool Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepErrors() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int wake_;
  Mutex mutex_;
  Saved saved_;
  std::string pending_ ABSL_GUARDED_BY(mutex_);   // what the terminal has not taken yet
  bool is_gone_ ABSL_GUARDED_BY(mutex_) = false;  // hung up
  bool is_suspended_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tidemark

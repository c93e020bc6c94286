// A TCP relay in front of a target: it outlives the target, keeps the record of what passed, and has the faults of a
// bad network.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/relay_record.h"
#include "tests/support/wire_reader.h"

namespace tidemark {

// What a client meets while the target is dead, or the relay refuses.
enum class Refusal {
  kRefuse,  // its SYN is refused, as a dead target's kernel does: the relay's port listens no more
  kReset,   // it is connected, then reset
};

struct RelayOptions {
  std::string listen_on = "127.0.0.1";
  Refusal refusal = Refusal::kRefuse;
  int core = -1;           // that its thread is pinned to; none by default
  std::uint64_t seed = 1;  // of the draw that decides which connections are mute
};

// A fault, for Do and Schedule.
struct RelayFault {
  enum class Kind {
    kStall,       // nothing is read or passed on either way, until kPass. Connections are taken and wait
    kPass,        // the end of kStall
    kRefuse,      // connections are refused as options say; those that are up stay up. Until kAccept
    kAccept,      // the end of kRefuse
    kCut,         // every connection is reset, both ways; new ones are accepted
    kHalfClose,   // every client is sent a FIN, and nothing more; what it sends still goes to the target
    kMute,        // `share` of the connections, new ones too, hear no byte and no FIN of the target until they end;
                  // an RST they hear. 0: no more of them
    kDelay,       // bytes arrive `delay` later, each way; 0: no more
    kKillTarget,  // SIGKILL, SIGSTOP, SIGCONT to the process that WatchTarget named
    kStopTarget,
    kContinueTarget,
  };
  Kind kind = Kind::kCut;
  double share = 0;
  Nanos delay = 0;
};

struct TimedFault {
  Nanos after = 0;  // since Schedule was called
  RelayFault fault;
};

// `count` faults, each of a kind in `kinds`, between a tenth and eight tenths of `duration`; what lasts, lasts between
// 50 ms and a third of `duration`, evenly drawn on a logarithmic scale, and is ended. kKillTarget has no end here: who
// made the process makes another. Sorted by their instants.
// REQUIRES: no kPass, kAccept, kContinueTarget in `kinds`, which is not empty.
std::vector<TimedFault> DrawFaults(std::mt19937_64& rng, Nanos duration, int count,
                                   const std::vector<RelayFault::Kind>& kinds);

// Listens on a free port and passes bytes both ways, in a thread of its own. What one side says or how it ends
// (FIN, RST), the other hears. Owner: a test. Threads: any may call, the methods return once their effect holds.
//  1. While nothing listens at the target's address, the port refuses as options.refusal says. With WatchTarget that
//     begins at the target's death, else at the first connection that fails (which is reset). It ends once a probe,
//     made each 5 ms, is accepted.
//  2. The port is the relay's for its whole life, while it refuses too.
//  3. A connection that is mute stays so: nobody hears the end of a response without its beginning.
//  4. At most kMaxHeld bytes per way are held; beyond, the side that sends is not read, so that it is held back as by
//     its peer.
class Relay {
 public:
  // `upstream`: HOST:PORT, IPv4.
  explicit Relay(const std::string& upstream, RelayOptions options = {});
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return address_; }

  // The process that faults are meant for, and whose death is seen at once. Anew for each of its lives.
  void WatchTarget(pid_t pid);

  void Do(RelayFault fault);
  // Replaces what is left of the schedule before.
  void Schedule(std::vector<TimedFault> faults);

  void Cut() { Do({.kind = RelayFault::Kind::kCut}); }
  void Stall(bool is_stalled) { Do({.kind = is_stalled ? RelayFault::Kind::kStall : RelayFault::Kind::kPass}); }
  void Delay(std::chrono::nanoseconds delay) { Do({.kind = RelayFault::Kind::kDelay, .delay = delay.count()}); }
  void Refuse(bool refuses) { Do({.kind = refuses ? RelayFault::Kind::kRefuse : RelayFault::Kind::kAccept}); }
  void Mute(double share) { Do({.kind = RelayFault::Kind::kMute, .share = share}); }

  // So far. The relay stands still while it is copied: a few ns per exchange.
  RelayRecord Record();
  // CPU time of its thread.
  Nanos CpuTime();

  static constexpr std::size_t kMaxHeld = 1 << 20;

 private:
  struct Pair;
  struct Way;

  void Run();
  void Call(std::function<void()> command);
  void RunCommands();
  int NextTimeoutMs(Nanos now) const;
  void Apply(const RelayFault& fault);
  void Note(std::string what);

  void UpdateListener();
  void AcceptAll();
  void Connect(int client);
  void SetTargetDead(bool is_dead);
  void Probe();
  void SignalTarget(int signal, const char* what);

  void Handle(std::uint32_t id, int side, std::uint32_t events);
  void Pump(Pair* pair);
  bool Read(Pair* pair, int way);
  void Mark(Pair* pair, int way, absl::string_view bytes, Nanos received);
  bool Deliver(Pair* pair, int way, absl::string_view bytes, std::size_t* taken);
  bool Flush(Pair* pair, int way);
  void Passed(Pair* pair, int way, std::size_t count, Nanos at);
  void Hold(Pair* pair, int way, absl::string_view bytes, Ending ending);
  bool PassEnding(Pair* pair, int way, Ending ending);
  void EndConnection(Pair* pair, Side by, Ending ending, Nanos at);
  void NoteFailure(Pair* pair, int side);
  bool IsDropping(const Pair& pair, int way) const;
  void MuteDrawn(Pair* pair);
  void Close(Pair* pair, bool resets_client, bool resets_target);
  void RemoveClosed();
  void PumpAll();

  const RelayOptions options_;
  sockaddr_in upstream_{};
  std::string address_;
  int port_holder_ = -1;  // bound and never listening: keeps the port
  int listener_ = -1;
  int epoll_ = -1;
  int wake_ = -1;

  // Between the threads.
  std::mutex mutex_;
  std::condition_variable is_done_;
  std::vector<std::function<void()>> commands_;
  std::uint64_t asked_ = 0;
  std::uint64_t done_ = 0;
  bool is_over_ = false;

  // Of the relay's thread; others reach them through Call.
  std::map<std::uint32_t, std::unique_ptr<Pair>> pairs_;
  std::vector<std::uint32_t> closed_;  // to be removed once the events at hand are dealt with
  RelayRecord record_;
  std::vector<WireMark> marks_;
  std::vector<char> buffer_;
  std::mt19937_64 rng_;
  std::deque<TimedFault> schedule_;          // `after`: the instant
  std::multimap<Nanos, std::uint32_t> due_;  // pairs with held bytes, by the instant at which some may pass
  int target_ = -1;                          // a pidfd
  bool is_listening_ = false;
  bool is_stalled_ = false;
  bool refuses_ = false;
  bool is_target_dead_ = false;
  Nanos next_probe_ = 0;
  Nanos next_accept_ = 0;  // after a lack of descriptors; 0: none
  double mute_share_ = 0;
  Nanos delay_ = 0;

  std::thread thread_;
};

}  // namespace tidemark

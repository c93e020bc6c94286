#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "agent/net/stamped_socket.h"
#include "common/check.h"

namespace tidemark {
namespace {

constexpr Nanos kProbeEvery = 5 * kMillisecond;
constexpr std::size_t kBuffer = 256 << 10;
constexpr int kEventsAtOnce = 256;
constexpr std::uint64_t kAtEnd = UINT64_MAX;  // as a place in a way: behind its last byte, where its FIN is
// Indices of a pair's sides, and of the way that begins at each.
constexpr int kClientSide = 0;
constexpr int kTargetSide = 1;
// Instead of a pair's number.
constexpr std::uint32_t kListenerId = 0xffffffff;
constexpr std::uint32_t kWakeId = 0xfffffffe;
constexpr std::uint32_t kTargetId = 0xfffffffd;

// What else is done with a fault's kind: its name in the record, and what ends it.
struct KindRow {
  RelayFault::Kind kind;
  const char* name;
  bool lasts;
  RelayFault::Kind end;
};
using Kind = RelayFault::Kind;
constexpr KindRow kKinds[] = {
    {Kind::kStall, "stall", true, Kind::kPass},
    {Kind::kPass, "pass", false, Kind::kPass},
    {Kind::kRefuse, "refuse", true, Kind::kAccept},
    {Kind::kAccept, "accept", false, Kind::kAccept},
    {Kind::kCut, "cut", false, Kind::kCut},
    {Kind::kHalfClose, "half-close", false, Kind::kHalfClose},
    {Kind::kMute, "mute", true, Kind::kMute},
    {Kind::kDelay, "delay", true, Kind::kDelay},
    {Kind::kKillTarget, "kill", false, Kind::kKillTarget},
    {Kind::kStopTarget, "stop", true, Kind::kContinueTarget},
    {Kind::kContinueTarget, "continue", false, Kind::kContinueTarget},
};

const KindRow& RowOf(Kind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  CHECK(false);
}

std::uint64_t EventData(std::uint32_t id, int side) { return std::uint64_t{id} << 1 | static_cast<unsigned>(side); }

void Watch(int epoll, int fd, std::uint32_t events, std::uint32_t id, int side = 0) {
  epoll_event event{.events = events, .data = {.u64 = EventData(id, side)}};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

void ResetAtClose(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void SetOption(int fd, int level, int option, unsigned value) {
  CHECK(setsockopt(fd, level, option, &value, sizeof value) == 0);
}

int BoundTo(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  CHECK(fd >= 0);
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

std::vector<TimedFault> DrawFaults(std::mt19937_64& rng, Nanos duration, int count, const std::vector<Kind>& kinds) {
  std::vector<TimedFault> faults;
  const auto draw = [&rng](double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(rng);
  };
  const auto whole = static_cast<double>(duration);
  for (int i = 0; i < count; ++i) {
    const Kind kind = kinds[rng() % kinds.size()];
    const auto begin = static_cast<Nanos>(draw(0.1, 0.8) * whole);
    RelayFault fault{.kind = kind};
    if (kind == Kind::kMute) fault.share = draw(0.1, 1);
    if (kind == Kind::kDelay) fault.delay = static_cast<Nanos>(draw(1e6, 200e6));
    faults.push_back({begin, fault});
    const KindRow& row = RowOf(kind);
    if (!row.lasts) continue;
    const double shortest = 50e6;
    const double length = std::exp(draw(std::log(shortest), std::log(std::max(shortest, whole / 3))));
    faults.push_back({begin + static_cast<Nanos>(length), {.kind = row.end}});
  }
  std::stable_sort(faults.begin(), faults.end(), [](const auto& a, const auto& b) { return a.after < b.after; });
  return faults;
}

// One way: what comes from `from` goes to the other side.
struct Relay::Way {
  struct Chunk {
    Nanos due = 0;
    std::string bytes;
    Ending ending = Ending::kNone;  // instead of bytes
  };
  // The last byte of something, and where it is in the record.
  struct Mark {
    std::uint64_t end = 0;
    WireMark::Kind kind = WireMark::Kind::kOpaque;
    std::size_t index = 0;
  };

  explicit Way(WireReader::Way way, std::deque<bool>* heads) : reader(way, heads) {}

  WireReader reader;
  std::deque<Chunk> held;
  std::size_t held_bytes = 0;
  std::uint64_t received = 0;
  std::uint64_t passed = 0;
  std::deque<Mark> marks;
  bool is_readable = true;   // as far as is known
  bool has_end = false;      // ... and its end is near
  bool is_read_out = false;  // its end was read
  bool is_over = false;      // its end was passed
  bool is_dropping = false;  // what comes is not passed any more
};

struct Relay::Pair {
  Pair(std::uint32_t number, int client, int target)
      : id(number),
        fds{client, target},
        ways{Way(WireReader::Way::kRequests, &heads), Way(WireReader::Way::kResponses, &heads)} {}

  const std::uint32_t id;  // also its index in the record
  int fds[2];
  std::deque<bool> heads;
  Way ways[2];
  std::deque<std::size_t> unanswered;  // exchanges whose response is to come
  Nanos request_began = 0;
  bool is_reset[2] = {false, false};  // by that side
  bool is_connected = false;          // to the target
  bool is_closed = false;
  bool is_mute = false;
  double draw = 0;
};

Relay::Relay(const std::string& upstream, RelayOptions options)
    : options_(std::move(options)), buffer_(kBuffer), rng_(options_.seed) {
  const std::size_t colon = upstream.rfind(':');
  upstream_.sin_family = AF_INET;
  CHECK(inet_pton(AF_INET, upstream.substr(0, colon).c_str(), &upstream_.sin_addr) == 1);
  upstream_.sin_port = htons(static_cast<std::uint16_t>(std::stoi(upstream.substr(colon + 1))));

  sockaddr_in own{};
  own.sin_family = AF_INET;
  CHECK(inet_pton(AF_INET, options_.listen_on.c_str(), &own.sin_addr) == 1);
  port_holder_ = BoundTo(own);
  socklen_t length = sizeof own;
  CHECK(getsockname(port_holder_, reinterpret_cast<sockaddr*>(&own), &length) == 0);
  listener_ = BoundTo(own);
  CHECK(EnableStamps(listener_));  // accepted sockets have the stamps of their listener
  address_ = options_.listen_on + ":" + std::to_string(ntohs(own.sin_port));

  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(epoll_ >= 0 && wake_ >= 0);
  Watch(epoll_, wake_, EPOLLIN, kWakeId);
  UpdateListener();
  // Edges: a socket that does not listen would report for ever that it is hung up.
  Watch(epoll_, listener_, EPOLLIN | EPOLLET, kListenerId);
  thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() {
  Call([this] { is_over_ = true; });
  thread_.join();
  for (auto& [id, pair] : pairs_) Close(pair.get(), false, false);
  for (const int fd : {port_holder_, listener_, epoll_, wake_, target_}) {
    if (fd >= 0) close(fd);
  }
}

void Relay::Call(std::function<void()> command) {
  std::unique_lock<std::mutex> lock(mutex_);
  commands_.push_back(std::move(command));
  const std::uint64_t number = ++asked_;
  const std::uint64_t one = 1;
  CHECK(write(wake_, &one, sizeof one) == sizeof one);
  is_done_.wait(lock, [&] { return done_ >= number; });
}

void Relay::RunCommands() {
  std::uint64_t ignored;
  CHECK(read(wake_, &ignored, sizeof ignored) == sizeof ignored || errno == EAGAIN);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& command : commands_) command();
  commands_.clear();
  done_ = asked_;
  is_done_.notify_all();
}

void Relay::Do(RelayFault fault) {
  Call([this, fault] { Apply(fault); });
}

void Relay::Schedule(std::vector<TimedFault> faults) {
  Call([this, &faults] {
    const Nanos now = WallNow();
    schedule_.clear();
    for (TimedFault& fault : faults) schedule_.push_back({now + fault.after, fault.fault});
    std::stable_sort(schedule_.begin(), schedule_.end(),
                     [](const auto& a, const auto& b) { return a.after < b.after; });
  });
}

void Relay::WatchTarget(pid_t pid) {
  Call([this, pid] {
    if (target_ >= 0) close(target_);
    target_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    CHECK(target_ >= 0);
    Watch(epoll_, target_, EPOLLIN | EPOLLET, kTargetId);
  });
}

RelayRecord Relay::Record() {
  RelayRecord record;
  Call([this, &record] { record = record_; });
  return record;
}

Nanos Relay::CpuTime() {
  Nanos time = 0;
  Call([&time] { time = ThreadCpuTime(); });
  return time;
}

void Relay::Run() {
  pthread_setname_np(pthread_self(), "relay");
  if (options_.core >= 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(options_.core, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
  }
  while (!is_over_) {
    epoll_event events[kEventsAtOnce];
    const int count = epoll_wait(epoll_, events, kEventsAtOnce, NextTimeoutMs(WallNow()));
    for (int i = 0; i < count; ++i) {
      const auto id = static_cast<std::uint32_t>(events[i].data.u64 >> 1);
      if (id == kWakeId) {
        RunCommands();
      } else if (id == kTargetId) {
        close(target_);  // it would tell of its burial, too
        target_ = -1;
        Note("target died");
        SetTargetDead(true);
      } else if (id == kListenerId) {
        AcceptAll();
      } else {
        Handle(id, static_cast<int>(events[i].data.u64 & 1), events[i].events);
      }
    }
    const Nanos now = WallNow();
    while (!schedule_.empty() && schedule_.front().after <= now) {
      Apply(schedule_.front().fault);
      schedule_.pop_front();
    }
    while (!is_stalled_ && !due_.empty() && due_.begin()->first <= now) {
      const auto found = pairs_.find(due_.begin()->second);
      due_.erase(due_.begin());
      if (found != pairs_.end()) Pump(found->second.get());
    }
    if (is_target_dead_ && now >= next_probe_) Probe();
    if (next_accept_ != 0 && now >= next_accept_) AcceptAll();
    RemoveClosed();
  }
}

int Relay::NextTimeoutMs(Nanos now) const {
  Nanos next = now + kSecond;
  if (!schedule_.empty()) next = std::min(next, schedule_.front().after);
  if (!is_stalled_ && !due_.empty()) next = std::min(next, due_.begin()->first);
  if (is_target_dead_) next = std::min(next, next_probe_);
  if (next_accept_ != 0) next = std::min(next, next_accept_);
  return static_cast<int>((std::max<Nanos>(0, next - now) + kMillisecond - 1) / kMillisecond);
}

void Relay::Note(std::string what) { record_.events.push_back({WallNow(), std::move(what)}); }

void Relay::Apply(const RelayFault& fault) {
  std::string what = RowOf(fault.kind).name;
  if (fault.kind == Kind::kMute) what += " " + std::to_string(fault.share);
  if (fault.kind == Kind::kDelay) what += " " + std::to_string(fault.delay) + " ns";
  if (fault.kind != Kind::kKillTarget && fault.kind != Kind::kStopTarget && fault.kind != Kind::kContinueTarget)
    Note(what);
  switch (fault.kind) {
    case Kind::kStall:
      is_stalled_ = true;
      return;
    case Kind::kPass:
      is_stalled_ = false;
      return PumpAll();
    case Kind::kRefuse:
    case Kind::kAccept:
      refuses_ = fault.kind == Kind::kRefuse;
      return UpdateListener();
    case Kind::kCut:
      for (auto& [id, pair] : pairs_) {
        EndConnection(pair.get(), Side::kRelay, Ending::kReset, WallNow());
        Close(pair.get(), true, true);
      }
      return;
    case Kind::kHalfClose:
      for (auto& [id, pair] : pairs_) {
        Way& way = pair->ways[kTargetSide];
        if (pair->is_closed || way.is_over) continue;
        way.is_dropping = true;
        way.held.clear();
        way.held_bytes = 0;
        shutdown(pair->fds[kClientSide], SHUT_WR);
        EndConnection(pair.get(), Side::kRelay, Ending::kFin, WallNow());
      }
      return;
    case Kind::kMute:
      mute_share_ = fault.share;
      for (auto& [id, pair] : pairs_) MuteDrawn(pair.get());
      return;
    case Kind::kDelay:
      delay_ = fault.delay;
      return;
    case Kind::kKillTarget:
      return SignalTarget(SIGKILL, "kill");
    case Kind::kStopTarget:
      return SignalTarget(SIGSTOP, "stop");
    case Kind::kContinueTarget:
      return SignalTarget(SIGCONT, "continue");
  }
}

void Relay::SignalTarget(int signal, const char* what) {
  // By its descriptor: a number may be another process's by now.
  const bool is_sent = target_ >= 0 && syscall(SYS_pidfd_send_signal, target_, signal, nullptr, 0) == 0;
  Note(std::string(what) + (is_sent ? "" : " failed: no target"));
}

// ---- the port, and whether the target lives

void Relay::UpdateListener() {
  const bool must_listen = options_.refusal == Refusal::kReset || (!refuses_ && !is_target_dead_);
  if (must_listen == is_listening_) return;
  is_listening_ = must_listen;
  if (must_listen) {
    CHECK(listen(listener_, 4096) == 0);
  } else {
    // The kernel takes the socket back to the state before listen; connections not accepted yet are reset.
    CHECK(shutdown(listener_, SHUT_RD) == 0);
  }
}

void Relay::SetTargetDead(bool is_dead) {
  is_target_dead_ = is_dead;
  next_probe_ = WallNow() + kProbeEvery;
  UpdateListener();
}

void Relay::Probe() {
  next_probe_ = WallNow() + kProbeEvery;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  connect(fd, reinterpret_cast<sockaddr*>(&upstream_), sizeof upstream_);
  pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
  const bool is_there = poll(&ready, 1, 1) == 1 && (ready.revents & (POLLERR | POLLHUP)) == 0;
  ResetAtClose(fd);
  close(fd);
  if (!is_there) return;
  ++record_.probes;
  Note("target is back");
  SetTargetDead(false);
}

void Relay::AcceptAll() {
  next_accept_ = 0;
  while (is_listening_) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
      if (errno == EMFILE || errno == ENFILE) next_accept_ = WallNow() + kProbeEvery;
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return;
    }
    if (refuses_ || is_target_dead_) {
      ++record_.refused;
      ResetAtClose(client);
      close(client);
    } else {
      Connect(client);
    }
  }
}

void Relay::Connect(int client) {
  SetOption(client, IPPROTO_TCP, TCP_NODELAY, 1);
  const auto id = static_cast<std::uint32_t>(record_.connections.size());
  record_.connections.push_back({.opened = WallNow()});
  Pair* const pair = pairs_.emplace(id, std::make_unique<Pair>(id, client, -1)).first->second.get();
  pair->draw = std::uniform_real_distribution<double>(0, 1)(rng_);
  MuteDrawn(pair);
  Watch(epoll_, client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, id, kClientSide);
  if (!is_stalled_) Pump(pair);
}

// ---- connections

void Relay::Handle(std::uint32_t id, int side, std::uint32_t events) {
  const auto found = pairs_.find(id);
  if (found == pairs_.end() || found->second->is_closed) return;
  Pair* const pair = found->second.get();
  Way& way = pair->ways[side];
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) way.is_readable = true;
  if ((events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) way.has_end = true;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) NoteFailure(pair, side);
  // A client's end is seen while nothing is read, too.
  if (side == kClientSide && (events & EPOLLRDHUP) != 0 && !pair->is_reset[side])
    EndConnection(pair, Side::kClient, Ending::kFin, WallNow());
  if (side == kTargetSide && (events & EPOLLOUT) != 0 && !pair->is_connected && !pair->is_reset[side]) {
    pair->is_connected = true;
    record_.connections[id].reached = WallNow();
  }
  if (!is_stalled_) Pump(pair);
}

// Asks for the error that `side` reports; the kernel tells it once.
void Relay::NoteFailure(Pair* pair, int side) {
  int error = 0;
  socklen_t length = sizeof error;
  if (pair->fds[side] < 0 || getsockopt(pair->fds[side], SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error == 0)
    return;
  pair->is_reset[side] = true;
  pair->ways[side].is_readable = true;
  if (side == kClientSide) EndConnection(pair, Side::kClient, Ending::kReset, WallNow());
  if (side == kTargetSide && !pair->is_connected) {
    // Nothing listens there. That cannot be told to a client that is connected: it is reset.
    Note("target refused");
    EndConnection(pair, Side::kTarget, Ending::kReset, WallNow());
    if (!is_target_dead_) SetTargetDead(true);  // first, so that who is reset and comes again is refused
    Close(pair, true, false);
  }
}

// Reads and passes what it can, both ways. REQUIRES: no stall.
void Relay::Pump(Pair* pair) {
  if (pair->is_closed) return;
  if (pair->fds[kTargetSide] < 0) {
    const int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (target < 0) {
      Note(std::string("socket: ") + std::strerror(errno));
      EndConnection(pair, Side::kRelay, Ending::kReset, WallNow());
      return Close(pair, true, false);
    }
    SetOption(target, IPPROTO_TCP, TCP_NODELAY, 1);
    CHECK(EnableStamps(target));
    pair->fds[kTargetSide] = target;
    // Its event tells what comes of it.
    if (connect(target, reinterpret_cast<sockaddr*>(&upstream_), sizeof upstream_) != 0 && errno != EINPROGRESS) {
      Note(std::string("connect: ") + std::strerror(errno));
      EndConnection(pair, Side::kRelay, Ending::kReset, WallNow());
      return Close(pair, true, false);
    }
    Watch(epoll_, target, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, pair->id, kTargetSide);
  }
  if (!pair->is_connected) return;
  const auto may_read = [pair](int way) {
    const Way& w = pair->ways[way];
    return w.is_readable && !w.is_read_out && w.held_bytes < kMaxHeld;
  };
  do {
    for (const int way : {kClientSide, kTargetSide}) {
      if (!Flush(pair, way)) return;
      if (may_read(way) && !Read(pair, way)) return;
    }
  } while (may_read(kClientSide) || may_read(kTargetSide));
  // A side that had sent its FIN, which was passed, and then an RST.
  for (const int side : {kClientSide, kTargetSide}) {
    if (!pair->is_reset[side] || !pair->ways[side].is_over) continue;
    return Close(pair, side == kTargetSide, side == kClientSide);
  }
}

// One read. False if the pair is closed.
bool Relay::Read(Pair* pair, int way) {
  Way& w = pair->ways[way];
  Nanos received = 0;
  const ssize_t n = ReceiveStamped(pair->fds[way], buffer_.data(), buffer_.size(), &received);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    w.is_readable = false;
    return true;
  }
  if (n <= 0) {
    if (n < 0) pair->is_reset[way] = true;
    w.is_readable = false;
    w.is_read_out = true;
    const Nanos now = WallNow();
    const Ending ending = pair->is_reset[way] ? Ending::kReset : Ending::kFin;
    if (way == kClientSide) EndConnection(pair, Side::kClient, ending, now);
    if (ending == Ending::kFin) Mark(pair, way, "", now);
    if (w.held.empty() && delay_ == 0) return PassEnding(pair, way, ending);
    Hold(pair, way, "", ending);
    return true;
  }
  const absl::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
  if (received == 0) {
    ++record_.unstamped;
    received = WallNow();
  }
  if (bytes.size() < kBuffer && !w.has_end) w.is_readable = false;  // what comes later makes an event of its own
  Mark(pair, way, bytes, received);
  w.received += bytes.size();
  RelayedConnection& record = record_.connections[pair->id];
  (way == kClientSide ? record.from_client : record.from_target) += bytes.size();
  if (w.is_dropping) {
    if (way == kTargetSide && pair->is_mute) record.is_mute = true;
    w.marks.clear();
    return true;
  }
  if (!w.held.empty() || delay_ != 0) {
    Hold(pair, way, bytes, Ending::kNone);
    return true;
  }
  std::size_t taken = 0;
  if (!Deliver(pair, way, bytes, &taken)) return false;
  if (taken < bytes.size()) Hold(pair, way, bytes.substr(taken), Ending::kNone);
  return true;
}

// Enters what ends in `bytes` into the record; with no bytes, what ends with the way.
void Relay::Mark(Pair* pair, int way, absl::string_view bytes, Nanos received) {
  Way& w = pair->ways[way];
  RelayedConnection& connection = record_.connections[pair->id];
  marks_.clear();
  if (bytes.empty()) {
    w.reader.Finish(&marks_);
  } else {
    w.reader.Feed(bytes, &marks_);
  }
  for (const WireMark& mark : marks_) {
    std::size_t index = 0;
    switch (mark.kind) {
      case WireMark::Kind::kOpaque:
        connection.is_opaque = true;
        continue;
      case WireMark::Kind::kRequestBegan:
        pair->request_began = received;
        continue;
      case WireMark::Kind::kRequest:
        index = record_.exchanges.size();
        record_.exchanges.push_back({.connection = pair->id, .first = pair->request_began, .last = received});
        pair->unanswered.push_back(index);
        break;
      case WireMark::Kind::kResponse:
      case WireMark::Kind::kUpgrade:
        if (pair->unanswered.empty()) continue;  // to nothing that was asked
        index = pair->unanswered.front();
        pair->unanswered.pop_front();
        record_.exchanges[index].status = mark.code;
        record_.exchanges[index].received = received;
        if (mark.kind == WireMark::Kind::kUpgrade) pair->ways[kClientSide].reader.ExpectFrames();
        break;
      case WireMark::Kind::kMessage:
      case WireMark::Kind::kClose: {
        index = record_.messages.size();
        const bool is_close = mark.kind == WireMark::Kind::kClose;
        record_.messages.push_back({.connection = pair->id,
                                    .from = way == kClientSide ? Side::kClient : Side::kTarget,
                                    .opcode = static_cast<std::uint8_t>(is_close ? 8 : mark.code),
                                    .close_code = static_cast<std::uint16_t>(is_close ? mark.code : 0),
                                    .received = received});
        break;
      }
    }
    w.marks.push_back({bytes.empty() ? kAtEnd : w.received + mark.offset, mark.kind, index});
  }
}

// Hands bytes to the kernel; *taken says how many it took. False if the pair is closed.
bool Relay::Deliver(Pair* pair, int way, absl::string_view bytes, std::size_t* taken) {
  const int other = 1 - way;
  const Nanos at = WallNow();
  const ssize_t n = send(pair->fds[other], bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) {
    *taken = static_cast<std::size_t>(n);
    Passed(pair, way, *taken, at);
    return true;
  }
  if (errno == EAGAIN || errno == EINTR) return true;
  // That side is gone; what it said before is still to be read, and then how it ended.
  pair->is_reset[other] = true;
  pair->ways[other].is_readable = true;
  pair->ways[way].is_dropping = true;
  *taken = bytes.size();
  if (other == kClientSide) EndConnection(pair, Side::kClient, Ending::kReset, at);
  return true;
}

void Relay::Passed(Pair* pair, int way, std::size_t count, Nanos at) {
  Way& w = pair->ways[way];
  w.passed += count;
  RelayedConnection& connection = record_.connections[pair->id];
  (way == kClientSide ? connection.to_target : connection.to_client) += count;
  while (!w.marks.empty() && w.marks.front().end <= w.passed) {
    const Way::Mark& mark = w.marks.front();
    switch (mark.kind) {
      case WireMark::Kind::kRequest:
        record_.exchanges[mark.index].forwarded = at;
        break;
      case WireMark::Kind::kUpgrade:
        connection.upgraded = at;
        record_.exchanges[mark.index].passed = at;
        break;
      case WireMark::Kind::kResponse:
        record_.exchanges[mark.index].passed = at;
        break;
      default:
        record_.messages[mark.index].passed = at;
    }
    w.marks.pop_front();
  }
}

void Relay::Hold(Pair* pair, int way, absl::string_view bytes, Ending ending) {
  Way& w = pair->ways[way];
  const Nanos due = WallNow() + delay_;
  w.held.push_back({due, std::string(bytes), ending});
  w.held_bytes += bytes.size();
  if (delay_ != 0) due_.emplace(due, pair->id);
}

// Passes what was held and is due. False if the pair is closed.
bool Relay::Flush(Pair* pair, int way) {
  Way& w = pair->ways[way];
  if (w.held.empty()) return true;
  const Nanos now = WallNow();
  while (!w.held.empty() && w.held.front().due <= now) {
    Way::Chunk& chunk = w.held.front();
    if (chunk.ending != Ending::kNone) {
      const Ending ending = chunk.ending;
      w.held.pop_front();
      return PassEnding(pair, way, ending);
    }
    std::size_t taken = 0;
    if (w.is_dropping) {
      taken = chunk.bytes.size();
      w.marks.clear();
    } else if (!Deliver(pair, way, chunk.bytes, &taken)) {
      return false;
    }
    w.held_bytes -= taken;
    if (taken < chunk.bytes.size()) {
      chunk.bytes.erase(0, taken);
      return true;
    }
    w.held.pop_front();
  }
  return true;
}

// False if the pair is closed.
bool Relay::PassEnding(Pair* pair, int way, Ending ending) {
  Way& w = pair->ways[way];
  const Nanos at = WallNow();
  w.is_over = true;
  const bool is_hidden = w.is_dropping && way == kTargetSide;  // a mute connection stays up for its client
  if (ending == Ending::kReset) {
    if (way == kTargetSide) EndConnection(pair, Side::kTarget, Ending::kReset, at);
    Close(pair, way == kTargetSide, way == kClientSide);
    return false;
  }
  if (!is_hidden) {
    w.passed = kAtEnd;
    Passed(pair, way, 0, at);
    shutdown(pair->fds[1 - way], SHUT_WR);
    if (way == kTargetSide) EndConnection(pair, Side::kTarget, Ending::kFin, at);
  }
  if (pair->ways[1 - way].is_over) {
    Close(pair, false, false);
    return false;
  }
  return true;
}

void Relay::EndConnection(Pair* pair, Side by, Ending ending, Nanos at) {
  RelayedConnection& record = record_.connections[pair->id];
  if (record.ended != 0) return;
  record.ended = at;
  record.ended_by = by;
  record.ending = ending;
}

void Relay::MuteDrawn(Pair* pair) {
  if (pair->draw >= mute_share_) return;
  pair->is_mute = true;
  pair->ways[kTargetSide].is_dropping = true;
}

void Relay::Close(Pair* pair, bool resets_client, bool resets_target) {
  if (pair->is_closed) return;
  pair->is_closed = true;
  if (resets_client) ResetAtClose(pair->fds[kClientSide]);
  if (resets_target && pair->fds[kTargetSide] >= 0) ResetAtClose(pair->fds[kTargetSide]);
  for (const int fd : pair->fds) {
    if (fd >= 0) close(fd);
  }
  closed_.push_back(pair->id);
}

void Relay::RemoveClosed() {
  for (const std::uint32_t id : closed_) pairs_.erase(id);
  closed_.clear();
}

void Relay::PumpAll() {
  for (auto& [id, pair] : pairs_) Pump(pair.get());
}

}  // namespace tidemark

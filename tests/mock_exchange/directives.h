// What a client asks the mock to do: delays and faults, chosen per path ("/mock/DIRECTIVES") or header ("X-Mock").
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "tests/mock_exchange/market.h"

namespace tidemark {

enum class Fault { kNone, kReset, kHang, kGarbage, kTruncate, kOversize, kClose };

// Comma-separated `name=value`. `/N` behind a value means every N-th request; without it, every one.
//   delay=2ms                       fixed
//   delay=bimodal:2ms:100ms:3/200   100 ms for 3 of every 200 arrivals, else 2 ms
//   delay=lognormal:2ms:0.8         median and sigma; a grid of 10,000 quantile midpoints, permuted, in whole cycles
//   fault=reset|hang|garbage|truncate|oversize|close[/N]
//   status=429[/N]    body=chunked|until-close    size=BYTES    interim=1    freeze=2s/N
//   queue=50us                      one server with that service time, first come first served
//   queue=exp:2ms                   the same with exponential service times of that mean: M/M/1 under Poisson arrivals
//   pause=1s:400ms                  with a queue: from 1 s after the first arrival it serves nothing for 400 ms
//   stream=100ms                    a WebSocket that pushes depth updates at that interval instead of echoing; with it
//     count=N                         ends the updates after so many; the connection stays
//     subscribe=1                     ... begins when a message has come, which it acks as Binance does
//     refuse=1                        ... or refuses it, in the family's words
//     size=BYTES                      ... with so much padding
//     conflate=1                      leaves out what falls due while the client does not read
//     connect_rate=N                  refuses more than N upgrades within a second, with 429
//     ping=100ms                      ... pings so often, and closes with 1008 if no pong came for three of them
//     heartbeat=100ms                 ... says so often that it lives, as Kraken does
//     need=100ms                      ... closes with 1008 if nothing at all came from the client for so long
//     life=2s                         ... says so, and closes with 1001 after that
//     messages=5                      ... closes with 1008 if the client sends more, pings and pongs too, in a second
//     slow=500ms                      ... closes with 4005 when the client reads so late
//     gap=N dup=N swap=N              each N-th update is left out, sent twice, sent after the next one
//     reset=N                         ... begins again at 1
//     stale=20ms/N                    each N-th update bears a time stamp that much older
//     family=okx feed=trade           messages of binance (default), bybit, okx or kraken; depth (default), trade or
//                                     bookTicker; Kraken has depth alone, with its checksum
//     symbols=N                       ... of so many symbols, in turn; each has numbers of its own
//     snapshot=N                      ... the first and each N-th update is a snapshot
//     checksum=N                      ... each N-th checksum is wrong
//     scale=N                         ... the family's own rules for ping, need, life and messages, N times as fast
//     common=1                        all connections get the same updates at the same instants; /__events lists them
//   usl=100:0.02:0.00001            answers after (1 + sigma (n-1) + kappa n (n-1)) / gamma s, n requests being inside
struct Directives {
  enum class Delay { kNone, kFixed, kBimodal, kLogNormal };
  enum class Framing { kLength, kChunked, kUntilClose };

  Delay delay = Delay::kNone;
  Nanos delay_a = 0;
  Nanos delay_b = 0;
  std::int64_t slow_of = 0;  // bimodal: `slow` of every `slow_of`
  std::int64_t slow = 0;
  double sigma = 0;
  Fault fault = Fault::kNone;
  std::int64_t fault_every = 1;
  int status = 200;
  std::int64_t status_every = 1;
  Framing framing = Framing::kLength;
  std::int64_t body_bytes = -1;  // -1: the endpoint's own body
  bool has_interim = false;
  enum class Queue { kNone, kConstant, kExponential };
  Queue queue = Queue::kNone;
  Nanos queue_service = 0;
  Nanos pause_at = 0;
  Nanos pause = 0;
  double usl_gamma = 0;  // 0: none
  double usl_sigma = 0;
  double usl_kappa = 0;
  Nanos stream = 0;  // interval; 0: none
  std::int64_t stream_count = 0;
  bool must_subscribe = false;
  bool must_refuse = false;
  std::int64_t connect_rate = 0;
  Nanos ping = 0;
  Nanos need = 0;
  Nanos heartbeat = 0;
  bool must_conflate = false;
  Family family = Family::kBinance;
  Feed feed = Feed::kDepth;
  std::int64_t scale = 0;  // 0: the family's rules do not hold
  Nanos life = 0;
  Nanos notice = 0;  // before its end
  std::int64_t client_messages = 0;
  Nanos client_window = kSecond;
  Nanos max_lag = 0;
  bool is_common = false;
  std::int64_t symbols = 1;
  std::int64_t snapshot_every = 0;
  std::int64_t checksum_every = 0;
  std::int64_t gap_every = 0;
  std::int64_t dup_every = 0;
  std::int64_t swap_every = 0;
  std::int64_t reset_every = 0;
  Nanos stale = 0;
  std::int64_t stale_every = 1;
  Nanos freeze = 0;
  std::int64_t freeze_every = 0;

  // Of the arrival with number `index` among those with the same directives, from 0.
  Nanos DelayOf(std::int64_t index) const;
  Fault FaultOf(std::int64_t index) const;
  int StatusOf(std::int64_t index) const;
  bool FreezesAt(std::int64_t index) const;
};

// Errors: InvalidArgument naming the directive.
absl::StatusOr<Directives> ParseDirectives(absl::string_view text);

// Value `i` of the log-normal grid: F^-1((i + 0.5) / 10,000), median `median`, in ns.  REQUIRES: 0 <= i < 10,000.
inline constexpr std::int64_t kGridSize = 10'000;
Nanos LogNormalGrid(std::int64_t i, Nanos median, double sigma);

}  // namespace tidemark

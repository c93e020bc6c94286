// What the market data of the exchanges looks like, and by which rules they keep a connection.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

enum class Family { kBinance, kBybit, kOkx, kKraken };
enum class Feed { kDepth, kTrade, kBookTicker };

// The rules of a family's public streams, as its documentation gives them; 0: none.
struct FamilyRules {
  Nanos ping = 0;             // the server pings so often, and closes without a pong for three of them
  Nanos need = 0;             // ... closes when nothing came from the client for so long
  Nanos life = 0;             // of a connection
  Nanos notice = 0;           // before its end
  std::int64_t messages = 0;  // that the client may send ...
  Nanos window = 0;           // ... in so long
};
FamilyRules RulesOf(Family family);

// One update of a stream, numbered in the three ways in which families do.
struct Update {
  std::uint64_t count = 0;  // one more than the one before it
  std::uint64_t first = 0;  // first and last number that it covers
  std::uint64_t last = 0;
  std::uint64_t previous = 0;  // last number of the one before it
  bool is_snapshot = false;
  std::string base = "BTC";  // of the symbol
  Nanos engine = 0;          // when it happened, since 1970
};

// Ten levels on each side, in ticks, of which each update changes some. Each is as a function of the updates' count.
class MockBook {
 public:
  struct Level {
    std::int64_t price = 0;
    std::int64_t size = 0;  // 0: taken out
  };
  struct Change {
    std::vector<Level> bids;
    std::vector<Level> asks;
  };
  MockBook();
  Change Snapshot() const;
  // Changes the book, and returns what has changed.
  Change Next(std::uint64_t count);
  // As Kraken takes it.
  std::uint32_t Checksum() const;

 private:
  std::map<std::int64_t, std::int64_t> bids_;
  std::map<std::int64_t, std::int64_t> asks_;
};

// The message of an update. Kraken's has `change` and `checksum`; that of Binance's depth has `padding`.
std::string TextOf(Family family, Feed feed, const Update& update, const MockBook::Change& change,
                   std::uint32_t checksum, const std::string& padding);

// What the exchange answers to a subscription: one message, or for OKX one for each of its arguments.
std::vector<std::string> AcksOf(Family family, absl::string_view request);
// What it answers to one that it does not like.
std::string RefusalOf(Family family, absl::string_view request);
// What it answers to a ping in a text message; none if this is not one.
std::optional<std::string> PongOf(Family family, absl::string_view message);
// That it will close the connection.
std::string NoticeOf(Family family);

}  // namespace tidemark

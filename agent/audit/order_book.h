// An order book kept from a stream, as far as its checksum needs it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// Kraken's book of a WebSocket: each message has changes, and the checksum of the book after them.
// Source: Kraken's guide to book checksums (v2). The CRC32 is taken over the ten best asks, then the ten best bids,
// from the best on: price, then size, as the messages write them, without the decimal point and leading zeros.
// Threads: one.
class OrderBook {
 public:
  enum class Check { kUnsynced, kRight, kWrong };
  // A price and a size, as text of a message. A size of zero takes the price out.
  using Levels = std::vector<std::pair<absl::string_view, absl::string_view>>;

  // `depth`: how many levels the stream keeps on each side.
  explicit OrderBook(std::size_t depth) : depth_(depth) {}

  // A snapshot begins: the book is empty.
  void Begin();
  // Changes are missing: it is not synced until the next snapshot.
  void Lose() { is_synced_ = false; }
  bool is_synced() const { return is_synced_; }
  // Takes the changes of one message. Errors: false if one is no decimal; the book is not synced any more.
  bool Apply(const Levels& bids, const Levels& asks);
  // Compares with what the message says. A book that was wrong is not synced until the next snapshot.
  Check Verify(std::uint32_t checksum);

  std::uint32_t Checksum() const;

 private:
  struct Level {
    std::string price;
    std::string size;
  };
  template <typename Side>
  bool Set(const Levels& levels, Side* side) const;

  const std::size_t depth_;
  std::map<double, Level, std::greater<>> bids_;
  std::map<double, Level> asks_;
  bool is_synced_ = false;
};

}  // namespace tidemark

#include "agent/audit/order_book.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"

namespace tidemark {
namespace {

constexpr std::size_t kCheckedLevels = 10;
constexpr std::size_t kMaxDecimal = 40;  // longer than any price
// Changes that one message may bring beyond the depth, before the rest is cut off.
constexpr std::size_t kSlack = 1'000;

bool IsDecimal(absl::string_view text, double* value) {
  const bool is_plain =
      !text.empty() && text.size() <= kMaxDecimal &&
      std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return is_plain && absl::SimpleAtod(text, value) && std::isfinite(*value);
}

// Without the point and leading zeros.
void AppendDigits(const std::string& decimal, std::string* out) {
  bool has_begun = false;
  for (const char c : decimal) {
    has_begun = has_begun || (c != '0' && c != '.');
    if (has_begun && c != '.') out->push_back(c);
  }
}

template <typename Side>
void Truncate(std::size_t depth, Side* side) {
  while (side->size() > depth) side->erase(std::prev(side->end()));
}

}  // namespace

void OrderBook::Begin() {
  bids_.clear();
  asks_.clear();
  is_synced_ = true;
}

template <typename Side>
bool OrderBook::Set(const Levels& levels, Side* side) const {
  for (const auto& [price, size] : levels) {
    double key = 0;
    double amount = 0;
    if (!IsDecimal(price, &key) || !IsDecimal(size, &amount)) return false;
    if (amount == 0) {
      side->erase(key);
    } else {
      side->insert_or_assign(key, Level{.price = std::string(price), .size = std::string(size)});
      if (side->size() > depth_ + kSlack) Truncate(depth_, side);
    }
  }
  Truncate(depth_, side);
  return true;
}

bool OrderBook::Apply(const Levels& bids, const Levels& asks) {
  if (!is_synced_) return true;
  is_synced_ = Set(bids, &bids_) && Set(asks, &asks_);
  return is_synced_;
}

OrderBook::Check OrderBook::Verify(std::uint32_t checksum) {
  if (!is_synced_) return Check::kUnsynced;
  is_synced_ = Checksum() == checksum;
  return is_synced_ ? Check::kRight : Check::kWrong;
}

std::uint32_t OrderBook::Checksum() const {
  std::string text;
  const auto append = [&text](const auto& side) {
    std::size_t count = 0;
    for (const auto& [key, level] : side) {
      if (++count > kCheckedLevels) return;
      AppendDigits(level.price, &text);
      AppendDigits(level.size, &text);
    }
  };
  append(asks_);
  append(bids_);
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

}  // namespace tidemark

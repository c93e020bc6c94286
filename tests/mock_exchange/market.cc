#include "tests/mock_exchange/market.h"

#include <boost/crc.hpp>
#include <boost/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace tidemark {
namespace {

constexpr std::int64_t kLevels = 10;
constexpr std::int64_t kMiddle = 452'843;  // 45,284.3

std::string Price(std::int64_t ticks) { return absl::StrFormat("%d.%d", ticks / 10, ticks % 10); }
std::string Size(std::int64_t units) { return absl::StrFormat("%d.%08d", units / 100'000'000, units % 100'000'000); }

std::string Levels(const std::vector<MockBook::Level>& levels) {
  std::string out;
  for (const MockBook::Level& level : levels) {
    absl::StrAppend(&out, out.empty() ? "" : ",", R"({"price":)", Price(level.price), R"(,"qty":)", Size(level.size),
                    "}");
  }
  return out;
}

std::string Field(const boost::json::value& request, const char* name) {
  if (!request.is_object() || !request.as_object().contains(name)) return "null";
  return boost::json::serialize(request.as_object().at(name));
}

boost::json::value Parse(absl::string_view text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  return error ? boost::json::value() : value;
}

std::string BinanceText(Feed feed, const Update& u, const std::string& padding) {
  const Nanos ms = u.engine / kMillisecond;
  if (feed == Feed::kTrade)
    return absl::StrCat(R"({"e":"trade","E":)", ms, R"(,"s":")", u.base, R"(USDT","t":)", u.count,
                        R"(,"p":"45283.50","q":"0.00100000","T":)", ms, R"(,"m":true,"M":true})");
  if (feed == Feed::kBookTicker)
    return absl::StrCat(R"({"u":)", u.last, R"(,"s":")", u.base,
                        R"(USDT","b":"45283.50","B":"0.10000000","a":"45285.20","A":"0.00100000"})");
  return absl::StrCat(R"({"e":"depthUpdate","E":)", ms, R"(,"T":)", u.engine / kMicrosecond, R"(,"s":")", u.base,
                      R"(USDT","U":)", u.first, R"(,"u":)", u.last, R"(,"pu":)", u.previous, R"(,"k":)", u.count,
                      R"(,"b":[["0.0024","10"]],"a":[["0.0026","100"]],"x":")", padding, R"("})");
}

std::string BybitText(Feed feed, const Update& u) {
  const Nanos ms = u.engine / kMillisecond;
  if (feed == Feed::kTrade)
    return absl::StrCat(R"({"topic":"publicTrade.)", u.base, R"(USDT","type":"snapshot","ts":)", ms,
                        R"(,"data":[{"T":)", ms, R"(,"s":")", u.base,
                        R"(USDT","S":"Buy","v":"0.001","p":"45283.50","L":"PlusTick","i":"trade-)", u.count,
                        R"(","BT":false,"seq":)", u.last, "}]}");
  const char* const kind = u.is_snapshot || feed == Feed::kBookTicker ? "snapshot" : "delta";
  return absl::StrCat(R"({"topic":"orderbook.)", feed == Feed::kDepth ? 50 : 1, ".", u.base, R"(USDT","type":")", kind,
                      R"(","ts":)", ms, R"(,"data":{"s":")", u.base,
                      R"(USDT","b":[["45283.50","0.1"]],"a":[["45285.20","0"]],"u":)", u.count, R"(,"seq":)", u.last,
                      R"(},"cts":)", ms, "}");
}

std::string OkxText(Feed feed, const Update& u) {
  const Nanos ms = u.engine / kMillisecond;
  const char* const channel = feed == Feed::kTrade ? "trades" : feed == Feed::kDepth ? "books" : "bbo-tbt";
  const std::string arg = absl::StrCat(R"({"arg":{"channel":")", channel, R"(","instId":")", u.base, R"(-USDT"},)");
  if (feed == Feed::kTrade)
    return absl::StrCat(arg, R"("data":[{"instId":")", u.base, R"(-USDT","tradeId":")", u.count,
                        R"(","px":"45283.5","sz":"0.001","side":"buy","ts":")", ms, R"(","count":"1","seqId":)", u.last,
                        "}]}");
  const std::string book =
      absl::StrCat(R"("asks":[["45285.2","0.1","0","2"]],"bids":[["45283.5","3","0","1"]],)", R"("ts":")", ms, R"(",)");
  if (feed == Feed::kBookTicker) return absl::StrCat(arg, R"("data":[{)", book, R"("seqId":)", u.last, "}]}");
  return absl::StrCat(arg, R"("action":")", u.is_snapshot ? "snapshot" : "update", R"(","data":[{)", book,
                      R"("checksum":0,"prevSeqId":)", u.is_snapshot ? "-1" : absl::StrCat(u.previous), R"(,"seqId":)",
                      u.last, "}]}");
}

std::string KrakenText(const Update& u, const MockBook::Change& change, std::uint32_t checksum) {
  const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixNanos(u.engine), absl::UTCTimeZone());
  return absl::StrCat(R"({"channel":"book","type":")", u.is_snapshot ? "snapshot" : "update",
                      R"(","data":[{"symbol":")", u.base, R"(/USD","bids":[)", Levels(change.bids), R"(],"asks":[)",
                      Levels(change.asks), R"(],"checksum":)", checksum, R"(,"timestamp":")", time, R"("}]})");
}

}  // namespace

FamilyRules RulesOf(Family family) {
  switch (family) {
    case Family::kBinance:
      return {
          .ping = 20 * kSecond, .life = 24 * 3600 * kSecond, .notice = 600 * kSecond, .messages = 5, .window = kSecond};
    case Family::kBybit:
      return {.need = 600 * kSecond};
    case Family::kOkx:
      return {.need = 30 * kSecond, .messages = 480, .window = 3600 * kSecond};
    case Family::kKraken:
      return {};
  }
  return {};
}

MockBook::MockBook() {
  for (std::int64_t i = 1; i <= kLevels; ++i) {
    bids_[kMiddle - i] = 10'000'000 * i;
    asks_[kMiddle + i] = 154'591'011 * i;
  }
}

MockBook::Change MockBook::Snapshot() const {
  Change change;
  for (auto level = bids_.rbegin(); level != bids_.rend(); ++level)
    change.bids.push_back({level->first, level->second});
  for (const auto& [price, size] : asks_) change.asks.push_back({price, size});
  return change;
}

// One bid after the other gets another size. The best ask goes every third time and another one comes behind the last,
// or the other way round.
MockBook::Change MockBook::Next(std::uint64_t count) {
  Change change;
  const auto n = static_cast<std::int64_t>(count % 1'000'000);
  const auto set = [](std::int64_t price, std::int64_t size, auto* side, std::vector<Level>* list) {
    size == 0 ? void(side->erase(price)) : void((*side)[price] = size);
    list->push_back({price, size});
  };
  set(std::next(bids_.rbegin(), n % kLevels)->first, 1'000 + 7 * n, &bids_, &change.bids);
  if (n % 3 == 0 && asks_.begin()->first < kMiddle + 100) {
    set(asks_.begin()->first, 0, &asks_, &change.asks);
    set(asks_.rbegin()->first + 1, 300'000 + n, &asks_, &change.asks);
  } else if (n % 3 == 1 && asks_.begin()->first > kMiddle + 1) {
    set(asks_.begin()->first - 1, 90'000 + n, &asks_, &change.asks);
    asks_.erase(std::prev(asks_.end()));  // the client cuts it off by itself
  }
  return change;
}

std::uint32_t MockBook::Checksum() const {
  std::string text;
  const auto append = [&text](std::int64_t price, std::int64_t size) { absl::StrAppend(&text, price, size); };
  for (const auto& [price, size] : asks_) append(price, size);
  for (auto level = bids_.rbegin(); level != bids_.rend(); ++level) append(level->first, level->second);
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

std::string TextOf(Family family, Feed feed, const Update& update, const MockBook::Change& change,
                   std::uint32_t checksum, const std::string& padding) {
  switch (family) {
    case Family::kBinance:
      return BinanceText(feed, update, padding);
    case Family::kBybit:
      return BybitText(feed, update);
    case Family::kOkx:
      return OkxText(feed, update);
    case Family::kKraken:
      return KrakenText(update, change, checksum);
  }
  return "";
}

std::vector<std::string> AcksOf(Family family, absl::string_view text) {
  const boost::json::value request = Parse(text);
  switch (family) {
    case Family::kBinance: {
      const std::string id = Field(request, "id");
      return {absl::StrCat(R"({"result":null,"id":)", id == "null" ? "1" : id, "}")};
    }
    case Family::kBybit:
      return {absl::StrCat(R"({"success":true,"ret_msg":"subscribe","conn_id":"mock","req_id":)",
                           Field(request, "req_id"), R"(,"op":"subscribe"})")};
    case Family::kOkx: {
      std::vector<std::string> acks;
      const boost::json::value args =
          request.is_object() && request.as_object().contains("args") ? request.as_object().at("args") : nullptr;
      for (std::size_t i = 0; args.is_array() && i < args.as_array().size(); ++i) {
        acks.push_back(absl::StrCat(R"({"id":)", Field(request, "id"), R"(,"event":"subscribe","arg":)",
                                    boost::json::serialize(args.as_array().at(i)), R"(,"connId":"a4d3ae55"})"));
      }
      if (!acks.empty()) return acks;
      return {R"({"event":"error","code":"60012","msg":"Invalid request","connId":"a4d3ae55"})"};
    }
    case Family::kKraken:
      return {absl::StrCat(R"({"method":"subscribe","success":true,"req_id":)", Field(request, "req_id"), "}")};
  }
  return {};
}

std::string RefusalOf(Family family, absl::string_view text) {
  const boost::json::value request = Parse(text);
  switch (family) {
    case Family::kBinance:
      return absl::StrCat(R"({"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":)", Field(request, "id"),
                          "}");
    case Family::kBybit:
      return absl::StrCat(R"({"success":false,"ret_msg":"error:handler not found","conn_id":"mock","req_id":)",
                          Field(request, "req_id"), R"(,"op":"subscribe"})");
    case Family::kOkx:
      return R"({"event":"error","code":"60018","msg":"Wrong URL or channel doesn't exist","connId":"a4d3ae55"})";
    case Family::kKraken:
      return absl::StrCat(R"({"error":"Currency pair not supported","method":"subscribe","success":false,"req_id":)",
                          Field(request, "req_id"), "}");
  }
  return "";
}

std::optional<std::string> PongOf(Family family, absl::string_view message) {
  if (family == Family::kOkx && message == "ping") return "pong";
  const bool is_bybit = family == Family::kBybit && absl::StrContains(message, R"("op":"ping")");
  if (is_bybit) return R"({"success":true,"ret_msg":"pong","conn_id":"mock","op":"ping"})";
  const bool is_kraken = family == Family::kKraken && absl::StrContains(message, R"("method":"ping")");
  if (is_kraken) return R"({"method":"pong"})";
  return std::nullopt;
}

std::string NoticeOf(Family family) {
  if (family == Family::kOkx)
    return R"({"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade.","connId":"a4d3ae55"})";
  return absl::StrCat(R"({"e":"serverShutdown","E":)", WallNow() / kMillisecond, "}");
}

}  // namespace tidemark

#include "common/stats/histogram_codec.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

constexpr std::uint64_t kMaxCountSum = std::uint64_t{1} << 62;
constexpr std::uint32_t kInnerCookie = 0x1c849303 | 0x10;
constexpr std::uint32_t kOuterCookie = 0x1c849304 | 0x10;
// Cookies of all versions but for their bits 4 to 7, in which V0 and V1 keep the size of a count.
constexpr std::uint32_t kWordBits = 0xf0;
constexpr std::uint32_t kOuterCookies[] = {0x1c849309, 0x1c849302, 0x1c849304};
constexpr std::uint32_t kInnerCookies[] = {0x1c849308, 0x1c849301, 0x1c849303};
constexpr std::size_t kInnerHeaderBytes = 40;
constexpr std::size_t kV0HeaderBytes = 32;
constexpr std::size_t kMaxInflatedBytes = 16u << 20;

void PutZigZag(std::int64_t value, std::string* out) {
  auto z = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (int i = 0; i < 8; ++i) {
    if (z < 0x80) {
      out->push_back(static_cast<char>(z));
      return;
    }
    out->push_back(static_cast<char>((z & 0x7f) | 0x80));
    z >>= 7;
  }
  out->push_back(static_cast<char>(z));
}

// Takes one number off the front of `bytes`; false if it is truncated.
bool TakeZigZag(absl::string_view* bytes, std::int64_t* value) {
  std::uint64_t z = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    if (i >= bytes->size()) return false;
    const auto byte = static_cast<unsigned char>((*bytes)[i]);
    if (i == 8) {
      z |= static_cast<std::uint64_t>(byte) << 56;
    } else {
      z |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    }
    if (i == 8 || (byte & 0x80) == 0) {
      bytes->remove_prefix(i + 1);
      *value = static_cast<std::int64_t>(z >> 1) ^ -static_cast<std::int64_t>(z & 1);
      return true;
    }
  }
  return false;
}

// Walks an encoded payload: visit(slot, count) for each non-zero slot below `slot_count`.
template <typename Visit>
absl::Status VisitCounts(absl::string_view bytes, std::uint64_t slot_count, Visit visit) {
  std::uint64_t slot = 0;
  std::uint64_t sum = 0;
  while (!bytes.empty()) {
    std::int64_t value = 0;
    if (!TakeZigZag(&bytes, &value)) return absl::InvalidArgumentError("histogram: truncated number");
    if (value <= 0) {  // Java writes a single empty slot as a count of zero
      const std::uint64_t run = value == 0 ? 1 : ~static_cast<std::uint64_t>(value) + 1;
      if (run > slot_count - slot)
        return absl::InvalidArgumentError("histogram: a run of empty slots leaves the range");
      slot += run;
      continue;
    }
    if (slot >= slot_count) return absl::InvalidArgumentError("histogram: a count beyond the last slot");
    if (static_cast<std::uint64_t>(value) > kMaxCountSum - sum)
      return absl::InvalidArgumentError("histogram: counts are too large");
    sum += static_cast<std::uint64_t>(value);
    visit(slot, static_cast<std::uint64_t>(value));
    ++slot;
  }
  return absl::OkStatus();
}

template <typename T>
void PutBigEndian(T value, std::string* out) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift));
  }
}

template <typename T>
T GetBigEndian(absl::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return static_cast<T>(value);
}

absl::StatusOr<std::string> Inflate(absl::string_view compressed) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return absl::InternalError("zlib: cannot start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int result = Z_OK;
  char chunk[16384];
  while (result == Z_OK && out.size() <= kMaxInflatedBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk);
    stream.avail_out = sizeof chunk;
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk, sizeof chunk - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) return absl::InvalidArgumentError("histogram: the zlib stream is damaged or too large");
  return out;
}

}  // namespace

std::string EncodeCounts(const Histogram& histogram) {
  std::string out;
  std::uint32_t next = 0;
  histogram.ForEach([&](std::uint32_t slot, std::uint64_t count) {
    if (slot > next) PutZigZag(-static_cast<std::int64_t>(slot - next), &out);
    PutZigZag(static_cast<std::int64_t>(count), &out);
    next = slot + 1;
  });
  return out;
}

absl::Status DecodeCounts(absl::string_view bytes, Histogram* histogram, HistogramFacts* facts) {
  facts->count = 0;
  facts->hash = 0;
  return VisitCounts(bytes, HistogramLayout::kSlotCount, [&](std::uint64_t slot, std::uint64_t count) {
    histogram->AddSlot(static_cast<std::uint32_t>(slot), count);
    facts->count += count;
    facts->hash += count * Mix64(slot);
  });
}

void ToProto(const HistogramFacts& facts, std::uint32_t metric, proto::HistogramSummary* out) {
  out->set_metric(metric);
  out->set_count(facts.count);
  out->set_hash(facts.hash);
  out->set_sum_low_ns(absl::Uint128Low64(facts.sum));
  out->set_sum_high_ns(absl::Uint128High64(facts.sum));
  out->set_min_ns(facts.min);
  out->set_max_ns(facts.max);
  out->set_overflow(facts.overflow);
  out->set_clock_error(facts.clock_error);
}

HistogramFacts FactsFromProto(const proto::HistogramSummary& in) {
  return {.count = in.count(),
          .hash = in.hash(),
          .sum = absl::MakeUint128(in.sum_high_ns(), in.sum_low_ns()),
          .min = in.min_ns(),
          .max = in.max_ns(),
          .overflow = in.overflow(),
          .clock_error = in.clock_error()};
}

void ToProto(const Histogram& histogram, std::uint32_t metric, proto::HistogramDelta* out) {
  ToProto(histogram.Facts(), metric, out->mutable_summary());
  out->set_counts(EncodeCounts(histogram));
}

namespace {

// Where Histogram::Record counts `value`.  REQUIRES: value >= 0.
std::uint64_t ClampedSlot(Nanos value) {
  return value > HistogramLayout::kHighest ? HistogramLayout::kSlotCount - 1
                                           : HistogramLayout::SlotOf(static_cast<std::uint64_t>(value));
}

}  // namespace

absl::Status DecodeDelta(const proto::HistogramDelta& delta, Histogram* histogram) {
  histogram->Clear();
  HistogramFacts decoded;
  std::uint64_t first = HistogramLayout::kSlotCount;
  std::uint64_t last = 0;
  TIDEMARK_RETURN_IF_ERROR(
      VisitCounts(delta.counts(), HistogramLayout::kSlotCount, [&](std::uint64_t slot, std::uint64_t count) {
        histogram->AddSlot(static_cast<std::uint32_t>(slot), count);
        decoded.count += count;
        decoded.hash += count * Mix64(slot);
        first = std::min(first, slot);
        last = slot;
      }));
  const HistogramFacts claimed = FactsFromProto(delta.summary());
  if (decoded.count != claimed.count || decoded.hash != claimed.hash) {
    return absl::InvalidArgumentError(absl::StrCat("histogram: the shard says ", claimed.count,
                                                   " values, its counts hold ", decoded.count, " or others"));
  }
  if (claimed.max < 0 || claimed.min < 0 || claimed.overflow > claimed.count || claimed.clock_error > kMaxCountSum ||
      (claimed.count > 0 && (ClampedSlot(claimed.min) != first || ClampedSlot(claimed.max) != last)) ||
      (claimed.overflow > 0) != (claimed.count > 0 && claimed.max > HistogramLayout::kHighest)) {
    return absl::InvalidArgumentError("histogram: minimum, maximum or overflow are impossible");
  }
  const absl::uint128 count = claimed.count;
  const bool is_sum_possible = claimed.count == 0 ? claimed.sum == 0
                                                  : claimed.sum >= count * static_cast<std::uint64_t>(claimed.min) &&
                                                        claimed.sum <= count * static_cast<std::uint64_t>(claimed.max);
  if (!is_sum_possible) return absl::InvalidArgumentError("histogram: its sum is none of so many such values");
  histogram->AddFacts(claimed);
  return absl::OkStatus();
}

std::string EncodeV2(const Histogram& histogram) {
  const std::string counts = EncodeCounts(histogram);
  std::string inner;
  inner.reserve(kInnerHeaderBytes + counts.size());
  PutBigEndian<std::uint32_t>(kInnerCookie, &inner);
  PutBigEndian<std::uint32_t>(static_cast<std::uint32_t>(counts.size()), &inner);
  PutBigEndian<std::uint32_t>(0, &inner);  // normalizing index offset
  PutBigEndian<std::uint32_t>(HistogramLayout::kSignificantDigits, &inner);
  PutBigEndian<std::uint64_t>(HistogramLayout::kLowest, &inner);
  PutBigEndian<std::uint64_t>(HistogramLayout::kHighest, &inner);
  PutBigEndian<std::uint64_t>(std::bit_cast<std::uint64_t>(1.0), &inner);
  inner += counts;

  uLongf size = compressBound(inner.size());
  std::string compressed(size, '\0');
  const int result = compress2(reinterpret_cast<Bytef*>(compressed.data()), &size,
                               reinterpret_cast<const Bytef*>(inner.data()), inner.size(), Z_DEFAULT_COMPRESSION);
  CHECK(result == Z_OK);
  compressed.resize(size);

  std::string out;
  PutBigEndian<std::uint32_t>(kOuterCookie, &out);
  PutBigEndian<std::uint32_t>(static_cast<std::uint32_t>(compressed.size()), &out);
  return out + compressed;
}

namespace {

// What stands before the counts of any version.
struct HdrHeader {
  std::uint32_t digits = 0;
  std::uint64_t lowest = 0;
  std::size_t word = 0;  // bytes of a count; 0: ZigZag LEB128
  absl::string_view counts;
};

absl::StatusOr<HdrHeader> ReadHeader(absl::string_view inner, std::size_t version) {
  if (inner.size() < 4 || (GetBigEndian<std::uint32_t>(inner, 0) & ~kWordBits) != kInnerCookies[version])
    return absl::InvalidArgumentError("histogram: not HdrHistogram inside");
  HdrHeader header;
  const std::size_t size = version == 0 ? kV0HeaderBytes : kInnerHeaderBytes;
  if (inner.size() < size) return absl::InvalidArgumentError("histogram: truncated");
  if (version < 2) {
    header.word = (GetBigEndian<std::uint32_t>(inner, 0) & kWordBits) >> 4;
    if (header.word != 2 && header.word != 4 && header.word != 8)
      return absl::InvalidArgumentError("histogram: impossible size of counts");
  }
  header.digits = GetBigEndian<std::uint32_t>(inner, version == 0 ? 4 : 12);
  header.lowest = GetBigEndian<std::uint64_t>(inner, version == 0 ? 8 : 16);
  header.counts = inner.substr(size);
  if (version == 0) return header;  // its counts go on to the end
  const auto length = GetBigEndian<std::uint32_t>(inner, 4);
  if (length > header.counts.size()) return absl::InvalidArgumentError("histogram: truncated counts");
  header.counts = header.counts.substr(0, length);
  return header;
}

// Counts of a fixed size, as V0 and V1 have them, in the form of V2.
absl::StatusOr<std::string> FromWords(absl::string_view words, std::size_t size) {
  std::string out;
  for (; words.size() >= size; words.remove_prefix(size)) {
    const std::uint64_t count = size == 2   ? GetBigEndian<std::uint16_t>(words, 0)
                                : size == 4 ? GetBigEndian<std::uint32_t>(words, 0)
                                            : GetBigEndian<std::uint64_t>(words, 0);
    if (count > kMaxCountSum) return absl::InvalidArgumentError("histogram: counts are too large");
    PutZigZag(static_cast<std::int64_t>(count), &out);
  }
  return out;
}

}  // namespace

absl::StatusOr<Histogram> DecodeHdr(absl::string_view bytes) {
  const std::uint32_t cookie = bytes.size() < 8 ? 0 : GetBigEndian<std::uint32_t>(bytes, 0) & ~kWordBits;
  const auto found = std::find(std::begin(kOuterCookies), std::end(kOuterCookies), cookie);
  if (found == std::end(kOuterCookies))
    return absl::InvalidArgumentError("histogram: not HdrHistogram V0, V1 or V2, compressed");
  const auto length = GetBigEndian<std::uint32_t>(bytes, 4);
  if (length > bytes.size() - 8) return absl::InvalidArgumentError("histogram: truncated");
  TIDEMARK_ASSIGN_OR_RETURN(const std::string inner, Inflate(bytes.substr(8, length)));
  TIDEMARK_ASSIGN_OR_RETURN(HdrHeader header,
                            ReadHeader(inner, static_cast<std::size_t>(found - std::begin(kOuterCookies))));
  const std::uint32_t digits = header.digits;
  const std::uint64_t lowest = header.lowest;
  if (digits < 1 || digits > 5 || lowest < 1 || lowest > (std::uint64_t{1} << 62)) {
    return absl::InvalidArgumentError("histogram: impossible precision or unit");
  }
  std::string counts;
  if (header.word != 0) {
    TIDEMARK_ASSIGN_OR_RETURN(counts, FromWords(header.counts, header.word));
    header.counts = counts;
  }
  // The general index of HdrHistogram: sub-buckets from the digits, unit magnitude from the lowest value.
  const double wanted = 2 * std::pow(10, digits);
  const int half_bits = static_cast<int>(std::ceil(std::log2(wanted))) - 1;
  const int unit = static_cast<int>(std::bit_width(lowest)) - 1;
  const std::uint64_t half = std::uint64_t{1} << half_bits;
  const int max_row = 62 - half_bits - unit;  // beyond, a slot's values leave 63 bits
  if (max_row < 1) return absl::InvalidArgumentError("histogram: impossible precision and unit together");

  Histogram histogram;
  const std::uint64_t slot_count = (static_cast<std::uint64_t>(max_row) + 1) * half;
  TIDEMARK_RETURN_IF_ERROR(VisitCounts(header.counts, slot_count, [&](std::uint64_t slot, std::uint64_t count) {
    const auto row = static_cast<int>(slot >> half_bits);
    const int shift = (row == 0 ? 0 : row - 1) + unit;
    const std::uint64_t sub = row == 0 ? slot : (slot & (half - 1)) + half;
    const auto value = static_cast<Nanos>((sub << shift) + ((std::uint64_t{1} << shift) - 1));
    const bool is_over = sub << shift > static_cast<std::uint64_t>(HistogramLayout::kHighest);
    histogram.AddSlot(
        is_over ? HistogramLayout::kSlotCount - 1 : HistogramLayout::SlotOf(static_cast<std::uint64_t>(value)), count);
    histogram.AddFacts({.sum = absl::uint128(static_cast<std::uint64_t>(value)) * count,
                        .min = value,
                        .max = value,
                        .overflow = is_over ? count : 0});
  }));
  return histogram;
}

}  // namespace tidemark

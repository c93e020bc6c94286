#include "agent/compose/program.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/numeric/int128.h"
#include "common/check.h"
#include "common/stats/histogram.h"

namespace tidemark {
namespace {

constexpr std::size_t kUuidBytes = 36;
constexpr std::size_t kIsoBytes = 24;
constexpr Nanos kDay = 24 * 3600 * kSecond;

// The last `count` digits of `value`, leading zeros included.
char* WriteDigits(std::uint64_t value, std::size_t count, char* out) {
  for (std::size_t i = count; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + count;
}

std::size_t DigitCount(std::uint64_t value) {
  std::size_t count = 1;
  for (; value >= 10; value /= 10) ++count;
  return count;
}

char* WriteNumber(std::int64_t value, char* out) {
  auto positive = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    positive = 0 - positive;
  }
  return WriteDigits(positive, DigitCount(positive), out);
}

std::size_t NumberBytes(std::int64_t value) {
  char text[24];
  return static_cast<std::size_t>(WriteNumber(value, text) - text);
}

// Digits and the unit of an instant since 1970. They have so many from 2001 to 2286.
struct Scale {
  std::size_t digits;
  Nanos unit;
};
Scale ScaleOf(TimeForm form) {
  switch (form) {
    case TimeForm::kSeconds:
      return {10, kSecond};
    case TimeForm::kMicros:
      return {16, kMicrosecond};
    case TimeForm::kNanos:
      return {19, 1};
    default:
      return {13, kMillisecond};
  }
}

// RFC 3339 in UTC with milliseconds. The day by Howard Hinnant's civil_from_days, for years from 1970 on.
char* WriteIso(Nanos moment, char* out) {
  const Nanos in_day = moment % kDay / kMillisecond;
  const std::int64_t days = moment / kDay + 719'468;
  const std::int64_t era = days / 146'097;
  const std::int64_t of_era = days % 146'097;
  const std::int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * of_year + 2) / 153;  // months from March on
  const std::int64_t day = of_year - (153 * shifted + 2) / 5 + 1;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const auto digits = [&out](std::int64_t value, std::size_t count, char after) {
    out = WriteDigits(static_cast<std::uint64_t>(value), count, out);
    *out++ = after;
  };
  digits(year, 4, '-');
  digits(month, 2, '-');
  digits(day, 2, 'T');
  digits(in_day / 3'600'000, 2, ':');
  digits(in_day / 60'000 % 60, 2, ':');
  digits(in_day / 1'000 % 60, 2, '.');
  digits(in_day % 1'000, 3, 'Z');
  return out;
}

// Another number for each slot of the phase: mix64 is one to one.
std::uint64_t Draw(const Occasion& occasion, std::uint64_t salt) {
  return Mix64(occasion.slot ^ Mix64(Mix64(occasion.seed) ^ salt));
}

// Version 4 of RFC 9562 section 5.4. All 64 bits of Draw are in it, so that no two slots have the same.
char* WriteUuid(std::uint64_t drawn, char* out) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::uint64_t more = Mix64(drawn + 1);
  const std::uint64_t high = (drawn & ~std::uint64_t{0xf000}) | 0x4000;
  const std::uint64_t low =
      (drawn >> 12 & 0xf) << 58 | (more & ((std::uint64_t{1} << 58) - 1)) | std::uint64_t{1} << 63;
  for (std::size_t i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) *out++ = '-';
    const std::uint64_t half = i < 16 ? high : low;
    *out++ = kHex[half >> (60 - 4 * (i % 16)) & 0xf];
  }
  return out;
}

char* Copy(absl::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

void WriteSlot(std::uint64_t slot, char* out) { WriteDigits(slot, kSlotDigits, out); }

Hole Hole::Of(const Part& part, std::uint64_t salt) {
  Hole hole{.salt = salt};
  switch (part.kind) {
    case Part::Kind::kSlot:
      hole.kind = Kind::kSlot;
      hole.width = hole.most = kSlotDigits;
      return hole;
    case Part::Kind::kNow:
      hole.kind = Kind::kNow;
      hole.form = part.form;
      hole.width = hole.most = part.form == TimeForm::kIso ? kIsoBytes : ScaleOf(part.form).digits;
      return hole;
    case Part::Kind::kUuid:
      hole.kind = Kind::kUuid;
      hole.width = hole.most = kUuidBytes;
      return hole;
    case Part::Kind::kRandom: {
      hole.kind = Kind::kRandom;
      hole.low = part.low;
      hole.span = static_cast<std::uint64_t>(part.high - part.low) + 1;
      hole.most = std::max(NumberBytes(part.low), NumberBytes(part.high));
      // Of one sign the numbers between the ends have as many digits as these.
      if (NumberBytes(part.low) == NumberBytes(part.high) && (part.low < 0) == (part.high < 0)) hole.width = hole.most;
      return hole;
    }
    case Part::Kind::kPick: {
      hole.kind = Kind::kPick;
      std::size_t least = std::numeric_limits<std::size_t>::max();
      for (const absl::string_view choice : part.choices) {
        hole.choices.emplace_back(choice);
        hole.most = std::max(hole.most, choice.size());
        least = std::min(least, choice.size());
      }
      if (least == hole.most) hole.width = hole.most;
      return hole;
    }
    default:
      CHECK(false);  // what a valid plan has are these, when its variables and secrets are in
  }
}

Hole Hole::Slot() { return {.kind = Kind::kSlot, .width = kSlotDigits, .most = kSlotDigits}; }

Hole Hole::TracePoint() { return {.kind = Kind::kTracePoint, .width = 4, .most = 4}; }

Hole Hole::UpgradeKey() {
  constexpr std::size_t kBase64Of16 = 24;
  return {.kind = Kind::kUpgradeKey, .width = kBase64Of16, .most = kBase64Of16};
}

Hole Hole::BodyBytes() { return {.kind = Kind::kBodyBytes, .most = 20}; }

char* Hole::Fill(const Occasion& occasion, char* out) const {
  switch (kind) {
    case Kind::kSlot:
      return WriteDigits(occasion.slot, kSlotDigits, out);
    case Kind::kNow: {
      if (form == TimeForm::kIso) return WriteIso(occasion.moment, out);
      const Scale scale = ScaleOf(form);
      return WriteDigits(static_cast<std::uint64_t>(occasion.moment / scale.unit), scale.digits, out);
    }
    case Kind::kRandom: {
      const auto drawn =
          static_cast<std::int64_t>(absl::Uint128High64(absl::uint128(Draw(occasion, salt)) * absl::uint128(span)));
      return WriteNumber(low + drawn, out);
    }
    case Kind::kUuid:
      return WriteUuid(Draw(occasion, salt), out);
    case Kind::kPick:
      return Copy(choices[static_cast<std::size_t>(
                      absl::Uint128High64(absl::uint128(Draw(occasion, salt)) * absl::uint128(choices.size())))],
                  out);
    case Kind::kUpgradeKey:
      return Copy(occasion.upgrade_key, out);
    case Kind::kTracePoint:
      for (int shift = 12; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[occasion.trace_point >> shift & 0xF];
      return out;
    case Kind::kBodyBytes:
      return WriteNumber(static_cast<std::int64_t>(occasion.body_bytes), out);
  }
  return out;
}

void Program::Append(Hole hole) {
  hole.at = literal_.size();
  most_ += hole.most;
  holes_.push_back(std::move(hole));
}

bool Program::IsFixed() const {
  return std::all_of(holes_.begin(), holes_.end(), [](const Hole& hole) { return hole.width == hole.most; });
}

std::string Program::WithRoom(std::vector<Hole>* holes, std::size_t base) const {
  std::string text;
  std::size_t done = 0;
  for (const Hole& hole : holes_) {
    text.append(literal_, done, hole.at - done);
    done = hole.at;
    holes->push_back(hole);
    holes->back().at = base + text.size();
    text.append(hole.width, '0');
  }
  return text.append(literal_, done);
}

void Program::MakeInto(const Occasion& occasion, std::string* out) const {
  const std::size_t begin = out->size();
  out->resize(begin + literal_.size() + most_);
  char* to = out->data() + begin;
  std::size_t done = 0;
  for (const Hole& hole : holes_) {
    to = Copy(absl::string_view(literal_).substr(done, hole.at - done), to);
    done = hole.at;
    to = hole.Fill(occasion, to);
  }
  to = Copy(absl::string_view(literal_).substr(done), to);
  out->resize(static_cast<std::size_t>(to - out->data()));
}

}  // namespace tidemark

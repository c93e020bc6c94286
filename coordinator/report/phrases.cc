#include "coordinator/report/phrases.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

namespace tidemark {

std::string Quantile(const proto::Latency& latency, absl::string_view name, double micros) {
  const bool is_bound =
      std::find(latency.at_least().begin(), latency.at_least().end(), name) != latency.at_least().end();
  if (latency.count() == 0 && !is_bound) return "-";
  return absl::StrCat(is_bound ? ">=" : "", FormatLatency(micros));
}

std::uint64_t CountAt(const google::protobuf::Message& counts, std::size_t i) {
  return counts.GetReflection()->GetUInt64(counts, counts.GetDescriptor()->field(static_cast<int>(i)));
}

void AddByOrder(const google::protobuf::Message& from, google::protobuf::Message* to) {
  const auto* const type = from.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* const field = type->field(i);
    const auto* const reflection = to->GetReflection();
    reflection->SetUInt64(to, field, reflection->GetUInt64(*to, field) + reflection->GetUInt64(from, field));
  }
}

std::string Printable(absl::string_view text, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_character_begin = (byte & 0xc0) != 0x80;
    if (out.size() >= size && is_character_begin) return out + "...";
    // C0, DEL, and C1 as UTF-8 writes it.
    const bool is_c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_c1) ++i;
    out += byte < 0x20 || byte == 0x7f || is_c1 ? '?' : text[i];
  }
  return out;
}

}  // namespace tidemark

// Messages of streams from a hostile target, a line each: every message is counted once, whatever it says, and the same
// messages say the same again.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "agent/audit/stream_listener.h"
#include "common/check.h"

namespace {

using tidemark::Finding;

// All rules, over the keys that the corpus uses. `in`: where the values of an event are; `number_in`: its numbers.
std::vector<tidemark::StreamRules> AllRules(const std::string& events, const std::string& in,
                                            const std::string& number_in) {
  tidemark::proto::Listen listen;
  listen.set_events(events);
  listen.set_stream(number_in + "/s");
  listen.set_time(in + "/t");
  listen.set_fan_out(in + "/n");
  listen.add_ignore("/i=1");
  listen.add_ignore(in + "/j=1");
  listen.set_silence_factor(2);
  std::vector<tidemark::StreamRules> rules;
  for (const char* rule : {"consecutive", "range", "link", "snapshot", "checksum"}) {
    tidemark::proto::Sequence* const sequence = listen.mutable_sequence();
    sequence->set_rule(rule);
    sequence->set_number(number_in + "/n");
    sequence->set_first(number_in + "/f");
    sequence->set_previous(number_in + "/p");
    const bool has_book = rule == std::string("checksum");
    if (has_book || rule == std::string("snapshot")) sequence->set_snapshot("/k=snapshot");
    sequence->set_bids(has_book ? number_in + "/b" : "");
    sequence->set_asks(has_book ? number_in + "/a" : "");
    sequence->set_depth(10);
    listen.set_time_unit(rule == std::string("link") ? "rfc3339" : rule == std::string("range") ? "s" : "ms");
    rules.push_back(tidemark::StreamRules::Of(listen));
  }
  return rules;
}

tidemark::Counters Listen(const tidemark::StreamRules& rules, absl::string_view text) {
  static auto* const json = new tidemark::JsonPointers;
  static auto* const made_once = new tidemark::Recorder;  // its histograms are large
  tidemark::Recorder& recorder = *made_once;
  recorder.Clear();
  tidemark::StreamListener listener(&rules, json);
  tidemark::StreamListener::Arrival arrival{.now = 1, .since_start = 0};
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  for (const absl::string_view message : absl::StrSplit(text, '\n')) {
    ++messages;
    ++arrival.now;
    events += listener.Take(message, message.size(), arrival, &recorder) ? 1 : 0;
  }
  listener.End(&recorder);
  const auto findings = [&](Finding finding) { return recorder.counters[finding]; };
  std::uint64_t heard = 0;
  std::uint64_t lost = 0;
  std::uint64_t lost_late = 0;
  for (const auto& [name, sum] : recorder.named.streams()) {
    heard += sum.messages;
    lost += sum.lost;
    lost_late += sum.lost_late;
  }
  CHECK(findings(Finding::kLostLate) == lost_late);
  CHECK(lost_late <= lost);
  if (!rules.arrays.empty()) {
    CHECK(heard <= findings(Finding::kEvent));
    return recorder.counters;
  }
  CHECK(events + findings(Finding::kIgnored) == messages);
  CHECK(heard <= events);
  CHECK(findings(Finding::kUnread) <= events);
  CHECK(findings(Finding::kGap) + findings(Finding::kDuplicate) + findings(Finding::kReordered) <= 2 * messages);
  return recorder.counters;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::vector<tidemark::StreamRules>* const all[] = {
      new std::vector<tidemark::StreamRules>(AllRules("", "", "")),
      new std::vector<tidemark::StreamRules>(AllRules("/d", "/d/*", "")),
      new std::vector<tidemark::StreamRules>(AllRules("/*", "/*", "/*")),
      new std::vector<tidemark::StreamRules>(AllRules("/d/*/e", "/d/*/e/*", "/d/*"))};
  if (size < 1) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::vector<tidemark::StreamRules>& some = *all[bytes[0] >> 6];
  const tidemark::StreamRules& rules = some[(bytes[0] & 0x3f) % some.size()];
  CHECK(Listen(rules, text) == Listen(rules, text));
  return 0;
}

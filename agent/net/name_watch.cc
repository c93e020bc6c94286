#include "agent/net/name_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

// A resolver may give the same addresses in another order each time.
std::vector<std::string> AsSet(const std::vector<SocketAddress>& addresses) {
  std::vector<std::string> set;
  for (const SocketAddress& address : addresses) set.push_back(address.ToString());
  std::sort(set.begin(), set.end());
  return set;
}

// Whether the run was admitted with more than `now` allows.
template <typename Number>
bool IsLower(Number now, Number then) {
  return now != 0 && (then == 0 || now < then);
}

}  // namespace

NameWatch::NameWatch(Settings settings, std::function<void(News)> report)
    : settings_(std::move(settings)), report_(std::move(report)), looks_(settings_.every, [this] { Look(); }) {}

void NameWatch::Look() {
  absl::StatusOr<Aim> aim = TakeAim(settings_.target, settings_.plan, settings_.guard, settings_.patience);
  if (settings_.patience.IsInterrupted()) return;
  if (std::string why = WhyKept(aim); !why.empty()) return report_({.why_kept = std::move(why)});
  if (AsSet(aim->addresses) == AsSet(settings_.aim.addresses)) return;
  settings_.aim.addresses = aim->addresses;
  report_({.addresses = std::move(aim->addresses)});
}

// Empty if its addresses may be used.
std::string NameWatch::WhyKept(const absl::StatusOr<Aim>& aim) const {
  if (!aim.ok()) return std::string(aim.status().message());
  if (IsLower(aim->ceiling.max_rate, settings_.aim.ceiling.max_rate) ||
      IsLower(aim->ceiling.max_connections, settings_.aim.ceiling.max_connections) ||
      IsLower(aim->ceiling.max_connect_rate, settings_.aim.ceiling.max_connect_rate))
    return absl::StrCat("the agent's --allow-list allows less of ", aim->addresses[0].ToString());
  for (const SocketAddress& address : aim->addresses) {
    if (settings_.has_sources && address.family() != settings_.aim.addresses[0].family())
      return absl::StrCat(address.ToString(), " cannot be reached from the source addresses");
  }
  return "";
}

}  // namespace tidemark

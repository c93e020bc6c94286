#include "common/plan/holes.h"

#include <algorithm>

#include "common/plan/parts.h"

namespace tidemark {
namespace {

template <class Predicate>
bool HasPart(const proto::Request& request, Predicate is_it) {
  return HasPart(request.path(), is_it) || HasPart(request.body(), is_it) ||
         std::any_of(request.headers().begin(), request.headers().end(),
                     [is_it](const std::string& header) { return HasPart(header, is_it); });
}

}  // namespace

bool HasHoles(const proto::Request& request) { return HasPart(request, IsHole); }

bool HasRandom(const proto::Plan& plan) {
  const auto& messages = plan.web_socket().subscribe();
  return HasPart(plan.target(), IsRandom) ||
         std::any_of(plan.requests().begin(), plan.requests().end(),
                     [](const proto::Request& request) { return HasPart(request, IsRandom); }) ||
         std::any_of(messages.begin(), messages.end(),
                     [](const std::string& message) { return HasPart(message, IsRandom); });
}

}  // namespace tidemark

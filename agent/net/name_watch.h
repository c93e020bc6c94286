// Looks the target's name up again and again while a run lasts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/guard/target_guard.h"
#include "agent/host/interrupt.h"
#include "agent/host/periodic.h"
#include "agent/net/aim.h"
#include "agent/net/transport.h"
#include "common/clock.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Owner: Session. Has a thread of its own, since the system's resolver may block for long; its end does not wait for
// that, once `patience` is interrupted.
class NameWatch {
 public:
  struct Settings {
    Target target = {};
    proto::Plan plan = {};
    TargetGuard guard;
    Aim aim = {};  // what the run began with
    bool has_sources = false;
    Nanos every = 0;
    Patience patience = {};
  };
  // What another look brought: addresses that differ from those before, as a set; or none, and why the old ones stay.
  struct News {
    std::vector<SocketAddress> addresses = {};
    std::string why_kept = {};
  };
  // `report` is called from the thread, and must not block for long.
  NameWatch(Settings settings, std::function<void(News)> report);

 private:
  void Look();
  std::string WhyKept(const absl::StatusOr<Aim>& aim) const;

  Settings settings_;
  const std::function<void(News)> report_;
  Periodic looks_;
};

}  // namespace tidemark

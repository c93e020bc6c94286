// The flags of the plan's own fields, as protos/plan.proto names them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "protos/plan.pb.h"

namespace CLI {
class App;
}

namespace tidemark {

// What was typed of them. It stays where it is while an app that it was added to is used.
class PlanFlags {
 public:
  PlanFlags();
  ~PlanFlags();
  PlanFlags(const PlanFlags&) = delete;
  PlanFlags& operator=(const PlanFlags&) = delete;

  // Adds those of the help's group `name` to `group`; without `is_run` those that are not of `run` alone.
  void AddGroup(absl::string_view name, bool is_run, CLI::App* group);
  // Adds the one of the field at `path`, as "sweep.duration", under other names, and with a help of its own.
  void Add(absl::string_view path, const std::string& names, const std::string& help, CLI::App* group);
  // Whether it was given.  REQUIRES: it was added.
  bool Has(absl::string_view path) const;

  // Sets what was given; a list takes the place of the plan's own.  Errors: InvalidArgument "-d/--duration: ...".
  absl::Status ApplyTo(proto::Plan* plan) const;

 private:
  struct Entry;
  Entry* Find(absl::string_view path) const;

  std::vector<std::unique_ptr<Entry>> entries_;  // in the order of the plan's fields
};

}  // namespace tidemark

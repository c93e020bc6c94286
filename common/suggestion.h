// What a name that is not known here may have been meant for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// The nearest of `known` by letters changed, left out, added or exchanged with their neighbour, if that is one in three
// of `unknown` at most; nothing if none is so near.
std::optional<std::string> Nearest(absl::string_view unknown, const std::vector<std::string>& known);

// What other load generators call something, and how it is called here.
struct PeerWord {
  absl::string_view names;        // apart by spaces; without dashes before them, with '-' between
  absl::string_view flag;         // "" if there is none
  absl::string_view field;        // of a plan, from its root; "" if there is none
  absl::string_view remark;       // what else to say of it
  absl::string_view within = "";  // the message of a plan in which a key is called so; empty: any, and a flag
};

// By a flag's name without its dashes, or a YAML key; '_' and '-' are alike. `within`: the message that lacks the key.
// Null if nobody calls anything so.
const PeerWord* FindPeerWord(absl::string_view name, absl::string_view within = "");

}  // namespace tidemark

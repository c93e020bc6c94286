// Where a user's files lie, by the XDG Base Directory Specification.
#pragma once

#include <string>

namespace tidemark {

// $XDG_CONFIG_HOME/tidemark/NAME, or ~/.config/tidemark/NAME; "" without a home.
std::string ConfigFolder(const std::string& name);
// $XDG_STATE_HOME/tidemark/NAME, or ~/.local/state/tidemark/NAME; "" without a home.
std::string StateFolder(const std::string& name);

}  // namespace tidemark

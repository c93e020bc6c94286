// `tidemark certs`: a private authority for the control channel, and what it signs.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

// `arguments`: init, agent NAME... or coordinator, with flags, or --help. Writes PEM files, never over others; returns
// the exit code: 0, or 1 after one line of what is wrong.
int CertsCommand(std::vector<std::string> arguments);

}  // namespace tidemark

// `tidemark selftest`: what this machine can measure, and whether the four promises hold on it.
#pragma once

namespace tidemark {

// Runs for less than 30 s against a responder in this process and prints what it finds; returns the exit code: 0 all
// promises hold, 70 one does not, 130 interrupted.
int SelftestCommand();

}  // namespace tidemark

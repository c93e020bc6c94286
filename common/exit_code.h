// With what a program ends, as docs/how-to/ci.md lists them; an agent sends them to its coordinator.
#pragma once

namespace tidemark {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitAgents = 2;
inline constexpr int kExitAccounting = 3;
inline constexpr int kExitStrict = 4;
inline constexpr int kExitTarget = 5;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitExpectation = 99;
inline constexpr int kExitInterrupted = 130;

}  // namespace tidemark

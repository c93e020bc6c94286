// Whether a signal is ignored, as whoever started the process may have asked for.
#pragma once

#include <signal.h>

namespace tidemark {

inline bool IsIgnored(int signal) {
  struct sigaction now;
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace tidemark

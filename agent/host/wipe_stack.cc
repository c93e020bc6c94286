#include "agent/host/wipe_stack.h"

#include <alloca.h>
#include <string.h>

#include <cstddef>

namespace tidemark {

[[gnu::noinline]] void WipeStack() {
  constexpr std::size_t kDepth = 256 << 10;
  explicit_bzero(alloca(kDepth), kDepth);
}

}  // namespace tidemark

// The stack of a thread that has held secrets.
#pragma once

namespace tidemark {

// Overwrites what this thread has called left on its stack, 256 KiB deep: the C library keeps stacks of threads that
// have ended for others, with what is on them, and OpenSSL does not wipe all of its own. The last thing that a thread
// does.
void WipeStack();

}  // namespace tidemark

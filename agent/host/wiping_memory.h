// Linked into a program, makes it wipe what `delete` frees, so that no secret stays in memory that nobody uses.
#pragma once

namespace tidemark {

// The same of what OpenSSL frees. Before its first use.
void WipeOpenSslMemory();

}  // namespace tidemark

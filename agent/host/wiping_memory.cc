// What this program frees it wipes: whatever held a secret, in whichever library, holds none once it is gone.
#include "agent/host/wiping_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "common/check.h"

namespace tidemark {
namespace {

void Wipe(void* memory) {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  free(memory);
}

#ifndef TIDEMARK_SANITIZED
void* Take(std::size_t size) {
  if (void* const memory = malloc(std::max<std::size_t>(1, size))) return memory;
  throw std::bad_alloc();
}

void* Take(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  if (void* const memory = aligned_alloc(step, (std::max<std::size_t>(1, size) + step - 1) / step * step))
    return memory;
  throw std::bad_alloc();
}
#endif

}  // namespace

void WipeOpenSslMemory() {
  const int is_set = CRYPTO_set_mem_functions([](std::size_t size, const char*, int) { return malloc(size); },
                                              [](void* memory, std::size_t size, const char*, int) {
                                                // Not realloc, which may leave the old copy behind.
                                                void* const larger = malloc(size);
                                                if (larger == nullptr || memory == nullptr) return larger;
                                                memcpy(larger, memory, std::min(size, malloc_usable_size(memory)));
                                                Wipe(memory);
                                                return larger;
                                              },
                                              [](void* memory, const char*, int) { Wipe(memory); });
  CHECK(is_set == 1);
}

}  // namespace tidemark

// A sanitizer has its own, which see more.
#ifndef TIDEMARK_SANITIZED
void* operator new(std::size_t size) { return tidemark::Take(size); }
void* operator new[](std::size_t size) { return tidemark::Take(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return tidemark::Take(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return tidemark::Take(size, alignment); }
void operator delete(void* memory) noexcept { tidemark::Wipe(memory); }
void operator delete[](void* memory) noexcept { tidemark::Wipe(memory); }
void operator delete(void* memory, std::size_t) noexcept { tidemark::Wipe(memory); }
void operator delete[](void* memory, std::size_t) noexcept { tidemark::Wipe(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { tidemark::Wipe(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { tidemark::Wipe(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { tidemark::Wipe(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { tidemark::Wipe(memory); }
#endif

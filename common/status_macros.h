// Early return on a failed absl::Status, which abseil 20220623 does not ship.
#pragma once

#include <utility>

#include "absl/status/status.h"

#define TIDEMARK_RETURN_IF_ERROR(expression)           \
  do {                                                 \
    absl::Status tidemark_status = (expression);       \
    if (!tidemark_status.ok()) return tidemark_status; \
  } while (false)

#define TIDEMARK_CONCAT_INNER(a, b) a##b
#define TIDEMARK_CONCAT(a, b) TIDEMARK_CONCAT_INNER(a, b)

#define TIDEMARK_ASSIGN_OR_RETURN(target, expression)                   \
  auto TIDEMARK_CONCAT(tidemark_or_, __LINE__) = (expression);          \
  if (!TIDEMARK_CONCAT(tidemark_or_, __LINE__).ok())                    \
    return std::move(TIDEMARK_CONCAT(tidemark_or_, __LINE__)).status(); \
  target = std::move(*TIDEMARK_CONCAT(tidemark_or_, __LINE__))

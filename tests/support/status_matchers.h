// EXPECT on absl::Status, which abseil 20220623 does not ship.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidemark {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

#define EXPECT_OK(expression) EXPECT_TRUE(::tidemark::StatusOf(expression).ok()) << ::tidemark::StatusOf(expression)
#define ASSERT_OK(expression) ASSERT_TRUE(::tidemark::StatusOf(expression).ok()) << ::tidemark::StatusOf(expression)

// The status failed and its message contains `part`.
MATCHER_P(FailsWith, part, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status;
  return !status.ok() && std::string(status.message()).find(part) != std::string::npos;
}

}  // namespace tidemark

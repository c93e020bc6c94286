// The hot path allocates nothing: twenty thousand more requests cost not one allocation more.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "absl/strings/str_cat.h"
#include "tests/support/process.h"
#include "tests/support/session_run.h"

namespace {
std::atomic<std::uint64_t> allocation_count{0};

void* Allocate(std::size_t size) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return Allocate(size); }
void* operator new[](std::size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace tidemark {
namespace {

std::uint64_t AllocationsOf(const std::string& url, std::int64_t requests_per_connection,
                            const std::string& header = "") {
  const std::uint64_t before = allocation_count.load();
  proto::Plan plan = PlanFor(url, 8, requests_per_connection);
  if (!header.empty()) plan.mutable_requests(0)->add_headers(header);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, static_cast<std::uint64_t>(8 * requests_per_connection));
  return allocation_count.load() - before;
}

TEST(AllocationTest, ARequestAllocatesNothing) {
  Process responder({TIDEMARK_BARE_RESPONDER});
  const std::string url = absl::StrCat("http://", responder.WaitForLine("listening on "), "/");
  AllocationsOf(url, 500);  // what a first run makes once
  const std::uint64_t few = AllocationsOf(url, 500);
  const std::uint64_t many = AllocationsOf(url, 3'000);
  // A window more, if the longer run needs one, makes a shard: some hundred allocations of the control path.
  EXPECT_LT(many, few + 1'000) << "for 20,000 requests more";
}

TEST(AllocationTest, WhatIsFilledInAllocatesNothing) {
  Process responder({TIDEMARK_BARE_RESPONDER});
  const std::string url =
      absl::StrCat("http://", responder.WaitForLine("listening on "), "/{slot}?t={now:ms}&u={uuid}");
  for (const char* header :
       {"X-Fixed: {random:100..999} {pick:a,b} {now:iso}", "X-Varies: {random:1..1000} {pick:a,bcd}"}) {
    AllocationsOf(url, 500, header);
    const std::uint64_t few = AllocationsOf(url, 500, header);
    const std::uint64_t many = AllocationsOf(url, 3'000, header);
    EXPECT_LT(many, few + 1'000) << header << ", for 20,000 requests more";
  }
}

}  // namespace
}  // namespace tidemark

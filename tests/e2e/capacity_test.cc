// A target that obeys the Universal Scalability Law with known coefficients.
#include <cmath>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr double kGamma = 100;
constexpr double kSigma = 0.02;
constexpr double kKappa = 1e-5;

double Law(double n) { return kGamma * n / (1 + kSigma * (n - 1) + kKappa * n * (n - 1)); }

TEST(CapacityTest, ThePeakOfAKnownLawIsFound) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  Mock mock(OnCore(1), {"--spin"});
  const RunOutcome run = TidemarkRun({"-c", "1,8,32,64,128,256,512", "-d", is_full ? "20s" : "7s", "-t", "1",
                                      "--warmup", "0", mock.Url("/mock/usl=100:0.02:0.00001")},
                                     OnCore(0));
  ASSERT_EQ(run.code, 0) << run.err;
  for (const auto& point : At(run.report, "points").as_array()) {
    const double n = point.at("connections").to_number<double>();
    // All connections start at once, so that up to one answer of each has not come yet when the duration ends.
    const double missing = n / Law(n) / point.at("duration_s").to_number<double>();
    EXPECT_GE(point.at("success_per_s").to_number<double>() / Law(n), 0.97 - missing) << n;
    EXPECT_LE(point.at("success_per_s").to_number<double>() / Law(n), 1.03) << n;
  }
  ASSERT_FALSE(At(run.report, "capacity").as_object().contains("refusal")) << run.out;
  EXPECT_TRUE(At(run.report, "capacity.has_peak").as_bool()) << run.out;
  // The law is flat there: from 270 to 360 connections throughput differs by 0.3 %, less than points of 7 s tell.
  EXPECT_NEAR(Number(run.report, "capacity.peak_connections"), 313.05, is_full ? 31.3 : 47);
  EXPECT_NEAR(Number(run.report, "capacity.max_requests_per_s"), 3'809.4, 0.02 * 3'809.4);
}

}  // namespace
}  // namespace tidemark

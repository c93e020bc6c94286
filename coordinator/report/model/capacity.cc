#include "coordinator/report/model/capacity.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/analysis/usl.h"
#include "coordinator/merge/merger.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {

void FillCapacity(const RunResult& result, const proto::Report& report, proto::Capacity* out) {
  std::vector<UslPoint> points;
  std::vector<std::vector<double>> samples;
  std::vector<KneePoint> knee_points;
  int left_out = 0;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const proto::Point& point = report.points(static_cast<int>(i));
    if (point.generator_slowed_the_loop() || point.verdict() == Name(Verdict::kPartial)) {
      ++left_out;
      continue;
    }
    std::vector<double> seconds;
    for (const WindowSum& window : result.points[i].merger->windows())
      seconds.push_back(static_cast<double>(window.success));
    double throughput = point.success_per_s();
    if (seconds.size() >= 7) {
      seconds = std::vector<double>(seconds.begin() + 1, seconds.end() - 1);
      throughput = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
    } else {
      seconds.clear();
    }
    points.push_back({.n = static_cast<double>(point.connections()), .x = throughput});
    samples.push_back(std::move(seconds));
    knee_points.push_back({.n = points.back().n, .x = throughput, .r_s = point.latency().mean_us() / 1e6});
  }
  const Capacity capacity = FindCapacity(points, samples);
  out->set_refusal(capacity.refusal);
  if (!capacity.refusal.empty()) {
    if (left_out > 0)
      out->set_refusal(absl::StrCat(capacity.refusal, "; ", left_out, left_out == 1 ? " point was" : " points were",
                                    " left out: partial, or slowed by the generator"));
    return;
  }
  out->set_gamma_per_s(capacity.fit.gamma);
  out->set_sigma(capacity.fit.sigma);
  out->set_kappa(capacity.fit.kappa);
  out->set_max_requests_per_s(capacity.x_max);
  out->set_has_peak(capacity.has_peak);
  if (capacity.has_peak) {
    out->set_peak_connections(capacity.fit.Peak());
    if (capacity.has_intervals) {
      out->set_peak_connections_low(capacity.n_peak.low);
      out->set_peak_connections_high(capacity.n_peak.high);
      out->set_peak_requests_per_s_low(capacity.x_peak.low);
      out->set_peak_requests_per_s_high(capacity.x_peak.high);
    }
  }
  std::sort(knee_points.begin(), knee_points.end(), [](const auto& a, const auto& b) { return a.n < b.n; });
  const Knee knee = FindKnee(knee_points);
  out->set_knee_power(knee.power);
  out->set_knee_crossing(knee.crossing);
  out->set_knee_kneedle(knee.kneedle);
  out->set_is_knee_clear(knee.IsClear());
}

}  // namespace tidemark

#include "coordinator/report/model/mix.h"

#include <cstddef>

#include "common/stats/request_sum.h"
#include "coordinator/report/model/accounting.h"
#include "coordinator/report/model/latency.h"

namespace tidemark {

void FillMix(const proto::Plan& plan, const Sums& sums, proto::Point* out) {
  for (std::size_t i = 0; i < sums.requests.size(); ++i) {
    const RequestSum& sum = sums.requests[i];
    proto::RequestResult* const result = out->add_requests();
    result->set_name(plan.requests(static_cast<int>(i)).name());
    result->set_sent(sum.counts.sent);
    result->set_success(sum.counts.success);
    result->set_received_bytes(sum.counts.bytes);
    FillOutcomes(sum.counts.outcomes, result->mutable_outcomes());
    *result->mutable_latency() = SummariseLatency(sum[Metric::kService], &sum[Metric::kCensored]);
    *result->mutable_response() = SummariseLatency(sum[Metric::kResponse], &sum[Metric::kUnanswered]);
    *result->mutable_first_byte() = SummariseLatency(sum[Metric::kFirstByte]);
  }
}

}  // namespace tidemark

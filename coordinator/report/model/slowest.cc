#include "coordinator/report/model/slowest.h"

#include "common/plan/sweep.h"
#include "coordinator/report/model/sums.h"

namespace tidemark {

void FillSlowRequest(const proto::Plan& plan, const std::string& run, const PointResult& point, const AgentTrace& trace,
                     proto::SlowRequest* out) {
  const RequestTrace& of = trace.trace;
  out->set_took_us(Micros(of.Took(IsOpenLoop(plan.sweep()))));
  out->set_due_s(static_cast<double>(of.due) / 1e9);
  out->set_sent_s(static_cast<double>(of.sent) / 1e9);
  out->set_service_us(Micros(of.done - of.sent));
  out->set_slot(of.slot);
  if (plan.requests_size() > 1) out->set_request(plan.requests(static_cast<int>(of.request)).name());
  out->set_agent(trace.agent);
  if (of.port != 0) out->set_port(of.port);
  out->set_outcome(std::string(kOutcomeRows[static_cast<std::size_t>(of.outcome)].json));
  if (plan.traceparent()) out->set_trace_id(TraceId(run, TracePoint(point.index, point.attempt), of.slot));
}

void FillSlowest(const proto::Plan& plan, const std::string& run, const PointResult& point, proto::Point* out) {
  const TraceMerger& traces = point.merger->traces();
  for (const AgentTrace& trace : traces.slowest()) FillSlowRequest(plan, run, point, trace, out->add_slowest());
  if (!plan.trace_sample().empty()) out->set_traces_left_out(traces.left_out());
}

}  // namespace tidemark

// Writes pages of made-up results, the JSON beside each, and comparisons: make_pages FOLDER. The tests of this folder
// open them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "coordinator/report/compared.h"
#include "coordinator/report/html.h"
#include "coordinator/report/html_compared.h"
#include "coordinator/report/json.h"
#include "coordinator/report/markdown.h"
#include "coordinator/report/read_json.h"
#include "coordinator/report/text.h"
#include "protos/report.pb.h"

namespace tidemark {
namespace {

constexpr double kGamma = 94;
constexpr double kSigma = 0.011;
constexpr double kKappa = 1.02e-5;
constexpr double kSpread = 0.16;  // of the logarithm of a latency

double Law(double n) { return kGamma * n / (1 + kSigma * (n - 1) + kKappa * n * (n - 1)); }

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// By halving: it is called a few hundred times.
double NormalQuantile(double q) {
  double low = -9;
  double high = 9;
  for (int i = 0; i < 60; ++i) (NormalCdf((low + high) / 2) < q ? low : high) = (low + high) / 2;
  return low;
}

double LatencyAt(double median_us, double q) { return median_us * std::exp(kSpread * NormalQuantile(q)); }

// The same numbers on every machine.
class Noise {
 public:
  double Next() {  // in [-1, 1)
    state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    return static_cast<double>(state_ >> 33) / static_cast<double>(std::uint64_t{1} << 30) - 1;
  }

 private:
  std::uint64_t state_ = 7;
};

double FourDigits(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10, 3 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

void FillLatency(double median_us, std::uint64_t count, proto::Latency* out) {
  out->set_count(count);
  out->set_mean_us(median_us * std::exp(kSpread * kSpread / 2));
  out->set_min_us(LatencyAt(median_us, 1e-4));
  out->set_p50_us(LatencyAt(median_us, 0.5));
  out->set_p90_us(LatencyAt(median_us, 0.9));
  out->set_p95_us(LatencyAt(median_us, 0.95));
  out->set_p99_us(LatencyAt(median_us, 0.99));
  out->set_p99_9_us(LatencyAt(median_us, 0.999));
  out->set_p99_99_us(LatencyAt(median_us, 0.9999));
  out->set_max_us(LatencyAt(median_us, 0.99999));
}

void AddInterval(const char* name, double value, proto::Latency* out) {
  proto::Interval* const interval = out->add_intervals();
  interval->set_name(name);
  interval->set_low_us(value * 0.985);
  interval->set_high_us(value * 1.02);
}

void AddCount(const char* name, std::uint64_t count, proto::Counts* out) {
  proto::Count* const row = out->add_list();
  row->set_name(name);
  row->set_count(count);
}

struct Shape {
  std::vector<double> levels;
  int seconds = 25;
  int agents = 2;
  bool is_open = false;
};

void FillTime(double rate, double median_us, int seconds, Noise* noise, proto::Point* point) {
  proto::Columns* const columns = point->mutable_columns();
  columns->set_row_length_s(1);
  point->mutable_heat()->set_row_length_s(1);
  for (int second = 0; second < seconds; ++second) {
    const double here = rate * (1 + 0.02 * noise->Next());
    const double median = median_us * (1 + 0.03 * noise->Next());
    const double limited = std::floor(here / 400 + 0.5 * (noise->Next() + 1));
    const double broken = std::floor(here / 800 + 0.5 * (noise->Next() + 1));
    columns->mutable_requests()->add_list(FourDigits(here));
    columns->mutable_success()->add_list(FourDigits(here - limited - broken));
    for (proto::Numbers* const none :
         {columns->mutable_failed_4xx(), columns->mutable_failed_other_status(), columns->mutable_timed_out(),
          columns->mutable_no_answer(), columns->mutable_never_sent()})
      none->add_list(0);
    columns->mutable_failed_429()->add_list(limited);
    columns->mutable_failed_5xx()->add_list(broken);
    columns->mutable_p50_us()->add_list(FourDigits(LatencyAt(median, 0.5)));
    columns->mutable_p90_us()->add_list(FourDigits(LatencyAt(median, 0.9)));
    columns->mutable_p99_us()->add_list(FourDigits(LatencyAt(median, 0.99)));
    columns->mutable_p99_9_us()->add_list(FourDigits(LatencyAt(median, 0.999)));
    columns->mutable_lateness_p99_us()->add_list(FourDigits(60 + 20 * noise->Next()));
    columns->mutable_generator_cpu_percent()->add_list(FourDigits(12 + 2 * noise->Next()));
    columns->mutable_availability_percent()->add_list(100);
    proto::HeatRow* const row = point->mutable_heat()->add_rows();
    const auto bucket = [](double us) { return static_cast<int>(std::floor(4 * std::log2(us))); };
    const int first = bucket(LatencyAt(median, 1 / here));
    row->set_first(first);
    for (int b = first; b <= bucket(LatencyAt(median, 1 - 1 / here)); ++b) {
      const auto share = [&](int edge) { return NormalCdf(std::log(std::pow(2, edge / 4.0) / median) / kSpread); };
      row->add_counts(static_cast<std::uint64_t>(std::max(1.0, here * (share(b + 1) - share(b)))));
    }
  }
}

void FillCurve(double median_us, double count, proto::Curve* out) {
  for (double beyond = 1; beyond < count; beyond *= 1.1487) {  // five each time it doubles
    out->mutable_beyond()->add_list(FourDigits(beyond));
    out->mutable_value_us()->add_list(FourDigits(LatencyAt(median_us, std::max(1 - 1 / beyond, 1e-4))));
  }
}

void FillAgents(const Shape& shape, double rate, double median_us, Noise* noise, proto::Point* point) {
  for (int agent = 0; agent < shape.agents; ++agent) {
    proto::AgentRow* const row = point->add_agents();
    const double own = median_us * (1 + 0.1 * noise->Next()) * (agent % 97 == 3 ? 1.6 : 1);
    row->set_agent(static_cast<std::uint32_t>(agent));
    row->set_connections(point->connections() / shape.agents);
    row->set_sent(static_cast<std::uint64_t>(rate * shape.seconds / shape.agents));
    row->set_success(row->sent() - row->sent() / 260);
    row->set_planned(row->sent());
    row->set_p50_us(LatencyAt(own, 0.5));
    row->set_p99_us(LatencyAt(own, 0.99));
    row->set_max_us(LatencyAt(own, 0.9999));
    row->set_cpu_percent(6 + noise->Next());
    row->set_shards(static_cast<std::uint64_t>(shape.seconds) + 1);
    if (agent >= 32) continue;
    proto::AgentColumns* const columns = row->mutable_columns();
    columns->set_row_length_s(shape.seconds > 60 ? 10 : 1);
    for (int i = 0; i < shape.seconds / static_cast<int>(columns->row_length_s()); ++i) {
      columns->mutable_requests()->add_list(FourDigits(rate / shape.agents * columns->row_length_s()));
      columns->mutable_success()->add_list(FourDigits(rate / shape.agents * columns->row_length_s()));
      columns->mutable_p99_us()->add_list(FourDigits(LatencyAt(own * (1 + 0.04 * noise->Next()), 0.99)));
      columns->mutable_cpu_percent()->add_list(6);
    }
  }
}

void FillAccount(std::uint64_t sent, proto::Accounting* out) {
  const std::uint64_t limited = sent / 400;
  const std::uint64_t broken = sent / 800;
  out->set_planned(sent);
  out->set_sent(sent);
  out->set_never_sent(0);
  out->set_success(sent - limited - broken);
  AddCount("status_2xx", sent - limited - broken, out->mutable_outcomes());
  AddCount("status_429", limited, out->mutable_outcomes());
  AddCount("status_5xx", broken, out->mutable_outcomes());
  AddCount("request_timeout", 0, out->mutable_outcomes());
  AddCount("established", 512, out->mutable_connections());
  out->set_bytes_sent(sent * 120);
  out->set_bytes_received(sent * 210);
  out->set_identity_holds(true);
  for (const auto& [status, count] :
       {std::pair<std::uint32_t, std::uint64_t>{200, sent - limited - broken}, {429, limited}, {503, broken}}) {
    proto::StatusRow* const row = out->add_statuses();
    row->set_status(status);
    row->set_count(count);
    if (status == 200) continue;
    row->set_body(status == 429 ? R"({"code":-1003,"msg":"Too many requests."})" : "upstream is not there");
    row->set_content_type(status == 429 ? "application/json" : "text/plain");
  }
}

void FillPoint(const Shape& shape, double level, Noise* noise, proto::Point* point) {
  const double rate = shape.is_open ? level * 0.999 : Law(level);
  const double median_us = shape.is_open ? 9e3 + 4e6 * std::pow(level / 4400, 9) / 90 : level / Law(level) * 1e6;
  const auto sent = static_cast<std::uint64_t>(rate * shape.seconds);
  point->set_connections(shape.is_open ? 400 : static_cast<std::int64_t>(level));
  point->set_connections_up(point->connections());
  if (shape.is_open) point->set_rate_per_s(level);
  FillAccount(sent, point->mutable_accounting());
  point->set_total_requests(sent);
  point->set_successful_requests(point->accounting().success());
  point->set_failed_requests(sent - point->accounting().success());
  point->set_error_rate_percent(100.0 * static_cast<double>(point->failed_requests()) / static_cast<double>(sent));
  point->set_duration_s(shape.seconds);
  point->set_requests_per_s(rate);
  point->set_success_per_s(rate * (1 - 1.0 / 400 - 1.0 / 800) * (1 + 0.004 * noise->Next()));
  point->set_received_bytes_per_s(rate * 210);
  point->set_generator_cpu_percent(2 + rate / 300);
  point->set_generator_wait_percent(1 + rate / 900);
  point->set_availability_percent(100);
  point->set_dead_seconds(0);
  point->set_generator_seconds(0);
  FillLatency(median_us, sent, point->mutable_latency());
  proto::Latency* const headline = shape.is_open ? point->mutable_response() : point->mutable_latency();
  if (shape.is_open) FillLatency(median_us * 1.1, sent, headline);
  AddInterval("p50_us", headline->p50_us(), headline);
  AddInterval("p99_us", headline->p99_us(), headline);
  FillLatency(70 + level / 8, sent, point->mutable_lateness());
  FillLatency(25 + level / 40, sent, point->mutable_loop_lag());
  for (const auto& [name, q] : {std::pair<const char*, double>{"mean_us", 0.53}, {"p50_us", 0.5}, {"p99_us", 0.99}}) {
    proto::Split* const split = point->add_splits();
    const double whole = LatencyAt(median_us, q);
    split->set_name(name);
    split->set_whole_us(whole);
    split->set_ours_us(whole * 0.01);
    split->set_network_us(40);
    split->set_target_us(whole * 0.99 - 40);
  }
  point->set_status("COMPLETE");
  point->set_verdict("VALID");
  point->set_verdict_reason("steady, and the generator's own part is 1.0 % of the mean");
  FillTime(rate, median_us, shape.seconds, noise, point);
  FillCurve(median_us, static_cast<double>(sent), point->mutable_curve());
  FillAgents(shape, rate, median_us, noise, point);
}

void AddMix(proto::Report* report) {
  for (proto::Point& point : *report->mutable_points()) {
    for (const auto& [name, of] : {std::pair<const char*, std::uint64_t>{"GET /api/v3/ticker", 2},
                                   {"GET /api/v3/depth", 4},
                                   {"POST /api/v3/order", 8},
                                   {"DELETE /api/v3/order", 8}}) {
      proto::RequestResult* const request = point.add_requests();
      request->set_name(name);
      request->set_sent(point.total_requests() / of);
      request->set_success(point.successful_requests() / of);
      AddCount("status_2xx", request->success(), request->mutable_outcomes());
      AddCount("status_5xx", request->sent() - request->success(), request->mutable_outcomes());
      FillLatency(point.latency().p50_us() * (of == 8 ? 1.2 : 0.9), request->success(), request->mutable_latency());
      request->set_received_bytes(request->sent() * 210);
    }
  }
}

void AddExpectation(const std::string& text, double limit_us, proto::Report* report) {
  report->mutable_plan()->add_expect(text);
  for (proto::Point& point : *report->mutable_points()) {
    proto::Expected* const expected = point.add_expected();
    const double p99 = point.has_response() ? point.response().p99_us() : point.latency().p99_us();
    expected->set_text(text);
    expected->set_of("latency");
    expected->set_is_met(p99 < limit_us);
    expected->set_is_clear(std::abs(p99 - limit_us) > 0.03 * limit_us);
  }
}

void AddCapacity(proto::Report* report) {
  proto::Capacity* const c = report->mutable_capacity();
  c->set_gamma_per_s(kGamma);
  c->set_sigma(kSigma);
  c->set_kappa(kKappa);
  const double peak = std::sqrt((1 - kSigma) / kKappa);
  c->set_has_peak(true);
  c->set_peak_connections(peak);
  c->set_peak_connections_low(peak * 0.985);
  c->set_peak_connections_high(peak * 1.01);
  c->set_max_requests_per_s(Law(peak));
  c->set_peak_requests_per_s_low(Law(peak) * 0.99);
  c->set_peak_requests_per_s_high(Law(peak) * 1.01);
  c->set_knee_power(92);
  c->set_knee_crossing(90);
  c->set_knee_kneedle(128);
  c->set_is_knee_clear(true);
}

proto::Report Sweep(const Shape& shape) {
  proto::Report report;
  Noise noise;
  report.set_version(TIDEMARK_VERSION);
  report.set_run("20261126T155824Z-59c0cb");
  report.set_started_at("2026-11-26T15:58:24Z");
  proto::Plan* const plan = report.mutable_plan();
  plan->set_target("http://127.0.0.1:18090/api/v3/ticker");
  plan->mutable_timeout()->set_seconds(2);
  plan->mutable_sweep()->mutable_duration()->set_seconds(shape.seconds);
  for (const double level : shape.levels) {
    if (shape.is_open) {
      plan->mutable_sweep()->add_rates(level);
    } else {
      plan->mutable_sweep()->add_connections(static_cast<std::int64_t>(level));
    }
  }
  if (shape.is_open) {
    plan->mutable_sweep()->add_connections(400);
    plan->mutable_sweep()->set_arrivals("poisson");
  }
  for (int i = 0; i < shape.agents; ++i) {
    proto::AgentInfo* const agent = report.add_agents();
    agent->set_agent(static_cast<std::uint32_t>(i));
    agent->set_address(absl::StrCat("10.0.", i / 250, ".", i % 250 + 2, ":7421"));
    agent->set_version(TIDEMARK_VERSION);
    agent->set_workers(2);
    agent->add_target_addresses("127.0.0.1");
    agent->set_clock_error_us(35);
  }
  std::uint64_t sent = 0;
  double seconds = 0;
  for (const double level : shape.levels) {
    FillPoint(shape, level, &noise, report.add_points());
    sent += report.points(report.points_size() - 1).total_requests();
    seconds += shape.seconds;
  }
  proto::Point* const total = report.mutable_total();
  FillAccount(sent, total->mutable_accounting());
  total->set_total_requests(sent);
  total->set_successful_requests(total->accounting().success());
  total->set_failed_requests(sent - total->accounting().success());
  total->set_error_rate_percent(100.0 * static_cast<double>(total->failed_requests()) / static_cast<double>(sent));
  total->set_duration_s(seconds);
  total->set_requests_per_s(static_cast<double>(sent) / seconds);
  total->set_success_per_s(total->requests_per_s());
  total->set_availability_percent(100);
  total->set_dead_seconds(0);
  total->set_status("COMPLETE");
  FillLatency(40e3, sent, shape.is_open ? total->mutable_response() : total->mutable_latency());
  report.mutable_merge()->set_is_exact(true);
  report.mutable_merge()->set_shards(static_cast<std::uint64_t>(seconds + 10) *
                                     static_cast<std::uint64_t>(shape.agents));
  report.set_status("COMPLETE");
  return report;
}

const std::vector<double> kLevels = {2, 8, 16, 32, 64, 128, 192, 256, 384, 512};

proto::Report Whole(int seconds, int agents) {
  proto::Report report = Sweep({.levels = kLevels, .seconds = seconds, .agents = agents});
  AddMix(&report);
  AddExpectation("p99<60ms", 60e3, &report);
  AddCapacity(&report);
  // Some were given up: the tail of one point is a lower bound.
  proto::Point* const point = report.mutable_points(9);
  point->mutable_latency()->set_censored(12);
  for (const char* const name : {"p99_9_us", "p99_99_us", "max_us"}) {
    point->mutable_latency()->add_at_least(name);
  }
  point->mutable_latency()->set_max_us(2'010'000);
  point->mutable_curve()->set_at_least_from(1'000);
  return report;
}

proto::Report OnePoint() {
  proto::Report report = Sweep({.levels = {128}, .seconds = 60});
  AddExpectation("p99<60ms", 60e3, &report);
  return report;
}

proto::Report NoneValid() {
  proto::Report report = Sweep({.levels = {8, 64, 256}, .seconds = 10});
  for (proto::Point& point : *report.mutable_points()) {
    point.set_verdict("GENERATOR_LIMITED");
    point.set_verdict_reason("of the mean of the service time, 67us, 37us was the generator's by the kernel's stamps");
  }
  report.mutable_capacity()->set_refusal("fewer than three points can be used; 3 points were left out");
  return report;
}

proto::Report NoPeak() {
  proto::Report report = Sweep({.levels = {2, 8, 16, 32, 64}, .seconds = 12});
  AddCapacity(&report);
  proto::Capacity* const c = report.mutable_capacity();
  c->set_has_peak(false);
  for (const char* const name : {"peak_connections", "peak_connections_low", "peak_connections_high",
                                 "peak_requests_per_s_low", "peak_requests_per_s_high"})
    c->GetReflection()->ClearField(c, c->GetDescriptor()->FindFieldByName(name));
  c->set_is_knee_clear(false);
  return report;
}

proto::Report AllFailed() {
  proto::Report report = Sweep({.levels = {10, 50}, .seconds = 8});
  const auto fail = [](proto::Point* point) {
    const std::uint64_t sent = point->total_requests();
    point->set_successful_requests(0);
    point->set_failed_requests(sent);
    point->set_error_rate_percent(100);
    point->set_success_per_s(0);
    point->set_dead_seconds(static_cast<std::uint64_t>(point->duration_s()));
    proto::Accounting* const account = point->mutable_accounting();
    account->clear_outcomes();
    account->clear_statuses();
    account->set_success(0);
    AddCount("status_2xx", 0, account->mutable_outcomes());
    AddCount("reset", sent, account->mutable_outcomes());
    *point->mutable_latency() = proto::Latency();
    point->clear_curve();
    point->clear_heat();
    point->clear_splits();
  };
  for (proto::Point& point : *report.mutable_points()) {
    fail(&point);
    point.set_verdict("TARGET_FAILING");
    point.set_verdict_reason("dead for each second");
    proto::Columns* const columns = point.mutable_columns();
    *columns->mutable_no_answer() = columns->requests();
    for (proto::Numbers* const none : {columns->mutable_success(), columns->mutable_requests(),
                                       columns->mutable_failed_429(), columns->mutable_failed_5xx()})
      std::fill(none->mutable_list()->begin(), none->mutable_list()->end(), 0);
    for (proto::Numbers* const unknown :
         {columns->mutable_p50_us(), columns->mutable_p90_us(), columns->mutable_p99_us(), columns->mutable_p99_9_us()})
      std::fill(unknown->mutable_list()->begin(), unknown->mutable_list()->end(),
                std::numeric_limits<double>::quiet_NaN());
    for (proto::AgentRow& row : *point.mutable_agents()) {
      row.clear_p50_us();
      row.clear_p99_us();
      row.clear_max_us();
      row.clear_columns();
      row.set_success(0);
    }
  }
  fail(report.mutable_total());
  report.mutable_capacity()->set_refusal("nothing succeeded");
  report.set_exit_code(5);
  return report;
}

// A count that is over before a second is: nothing is known over time.
proto::Report Short() {
  proto::Report report = Sweep({.levels = {64}, .seconds = 1, .agents = 1});
  proto::Point* const point = report.mutable_points(0);
  point->clear_columns();
  point->clear_heat();
  point->set_duration_s(0.5);
  point->mutable_agents(0)->clear_columns();
  report.mutable_agents(0)->set_address("in process");
  report.mutable_plan()->mutable_sweep()->clear_duration();
  report.mutable_plan()->mutable_sweep()->set_requests(2'000);
  return report;
}

proto::Report NeverSent() {
  proto::Report report = AllFailed();
  const auto refuse = [](proto::Point* point) {
    const std::uint64_t planned = point->total_requests();
    point->clear_columns();
    point->clear_error_rate_percent();
    proto::Accounting* const account = point->mutable_accounting();
    account->clear_outcomes();
    account->set_sent(0);
    account->set_never_sent(planned);
    AddCount("connect_refused", planned, account->mutable_never_sent_by_reason());
    point->mutable_lateness()->Clear();
    point->mutable_loop_lag()->Clear();
  };
  for (proto::Point& point : *report.mutable_points()) refuse(&point);
  refuse(report.mutable_total());
  return report;
}

proto::Report OpenLoop() {
  proto::Report report = Sweep({.levels = {500, 1'000, 2'000, 3'000, 4'000}, .seconds = 20, .is_open = true});
  AddExpectation("p99<60ms", 60e3, &report);
  return report;
}

proto::Report Streams() {
  proto::Report report = Sweep({.levels = {100, 1'000}, .seconds = 20});
  proto::Plan* const plan = report.mutable_plan();
  plan->set_target("ws://127.0.0.1:18090/stream");
  plan->mutable_web_socket()->mutable_listen();
  const auto listen = [](proto::Point* point) {
    const std::uint64_t messages = point->total_requests();
    proto::WebSocketCounts* const counts = point->mutable_accounting()->mutable_web_socket();
    point->set_messages_per_s(point->requests_per_s());
    point->clear_total_requests();
    point->clear_failed_requests();
    point->clear_successful_requests();
    point->clear_requests_per_s();
    point->clear_success_per_s();
    point->clear_splits();
    point->clear_latency();
    point->mutable_accounting()->clear_outcomes();
    point->mutable_accounting()->clear_statuses();
    counts->set_messages(messages);
    counts->set_message_bytes(messages * 180);
    AddCount("gaps", 3, counts->mutable_streams());
    AddCount("lost", 14, counts->mutable_streams());
    AddCount("duplicates", 2, counts->mutable_streams());
    AddCount("reordered", 1, counts->mutable_streams());
    AddCount("resets", 0, counts->mutable_streams());
    AddCount("silences", 1, counts->mutable_streams());
    AddCount("reconnects", 1, counts->mutable_streams());
    AddCount("no_frame", 1, counts->mutable_closings());
    FillLatency(100e3, messages, point->mutable_interval());
    FillLatency(3'200, messages, point->mutable_staleness());
    AddInterval("p99_us", point->staleness().p99_us(), point->mutable_staleness());
    point->set_availability_percent(99.98);
  };
  for (proto::Point& point : *report.mutable_points()) {
    listen(&point);
    *point.mutable_columns()->mutable_messages() = point.columns().requests();
    point.mutable_columns()->clear_requests();
    point.mutable_columns()->clear_success();
    point.mutable_columns()->clear_failed_429();
    point.mutable_columns()->clear_failed_5xx();
    point.set_staleness_error_us(120);
    for (const char* const name : {"btcusdt@depth", "ethusdt@depth", "bnbusdt@trade"}) {
      proto::StreamRow* const row = point.add_streams();
      row->set_name(name);
      row->set_messages(point.accounting().web_socket().messages() / 3);
      row->set_bytes(row->messages() * 180);
      row->set_messages_per_s(point.messages_per_s() / 3);
      row->set_bytes_per_s(row->messages_per_s() * 180);
      row->set_gaps(1);
      row->set_lost(4);
      row->set_silences(0);
    }
    proto::CloseReason* const close = point.add_close_reasons();
    close->set_code(1001);
    close->set_reason("going away: deploy");
    close->set_count(1);
    proto::FanOut* const fan_out = point.mutable_fan_out();
    fan_out->set_events(1'200);
    fan_out->set_full_events(1'190);
    fan_out->set_most_receipts(100);
    fan_out->set_least_receipts(99);
    FillLatency(900, 1'200, fan_out->mutable_spread());
  }
  listen(report.mutable_total());
  return report;
}

proto::Report Partial() {
  proto::Report report = Sweep({.levels = {8, 64, 256}, .seconds = 10});
  proto::Point* const point = report.mutable_points(2);
  point->set_status("PARTIAL");
  point->set_verdict("PARTIAL");
  point->set_verdict_reason("agent 1 was lost");
  point->set_coverage_percent(61.2);
  report.mutable_agents(1)->set_lost("its stream ended: connection reset");
  report.set_status("PARTIAL");
  report.mutable_merge()->set_is_exact(false);
  report.add_notes("agent 1 (10.0.0.3:7421) was lost at 256 connections");
  report.set_exit_code(3);
  return report;
}

// Each text that others may have written is one that would like to act.
proto::Report Hostile() {
  proto::Report report = Whole(10, 2);
  const std::string kNasty = "</script></title></style><img src=x onerror=alert(1)>\x1b[31m\"'&\xe2\x80\xae]]><!--";
  const std::string kLong = kNasty + std::string(10'240, 'x');
  report.mutable_plan()->set_target("http://127.0.0.1/" + kNasty);
  report.set_run(kNasty);
  report.set_started_at(kNasty);
  report.set_version(kNasty);
  report.add_notes(kLong);
  for (proto::AgentInfo& agent : *report.mutable_agents()) {
    agent.set_address(kNasty);
    agent.set_lost(kLong);
    agent.set_permission(kNasty);
    agent.set_version(kNasty);
  }
  for (proto::Point& point : *report.mutable_points()) {
    point.set_verdict_reason(kNasty);
    point.add_verdict_notes(kLong);
    for (proto::Expected& expected : *point.mutable_expected()) expected.set_text("p99<60ms" + kNasty);
    for (proto::RequestResult& request : *point.mutable_requests()) request.set_name(kLong);
  }
  for (proto::StatusRow& row : *report.mutable_total()->mutable_accounting()->mutable_statuses()) {
    row.set_body(kLong);
    row.set_content_type(kNasty);
  }
  return report;
}

// What a former version wrote: its seconds have no columns.
proto::Report Former(const std::string& name) {
  const auto report = ReadReportFile(absl::StrCat(TIDEMARK_SOURCE_DIR, "/tests/golden/report_", name, ".json"));
  CHECK(report.ok());
  return *report;
}

// Runs of a side: each figure times `factor`, and a little of chance.
std::vector<Result> SideOf(const Shape& shape, int runs, double factor, const std::string& name) {
  std::vector<Result> side;
  Noise noise;
  for (int i = 0; i < runs; ++i) {
    Result& result = side.emplace_back(Result{.path = absl::StrCat(name, "-", i, ".json"), .report = Sweep(shape)});
    result.report.set_run(absl::StrCat(name, i));
    for (proto::Point& point : *result.report.mutable_points()) {
      const double here = factor * (1 + 0.003 * noise.Next());
      point.set_success_per_s(point.success_per_s() / here);
      proto::Latency* const latency = point.mutable_latency();
      for (const auto* const field : {"mean_us", "p50_us", "p90_us", "p99_us", "p99_9_us"}) {
        const auto* const f = latency->GetDescriptor()->FindFieldByName(field);
        latency->GetReflection()->SetDouble(latency, f, latency->GetReflection()->GetDouble(*latency, f) * here);
      }
      for (double& value : *point.mutable_columns()->mutable_p99_us()->mutable_list()) value *= here;
    }
  }
  return side;
}

std::string Compared(const std::vector<Result>& before, const std::vector<Result>& after) {
  return ToHtml(before, after, CompareSides(before, after));
}

std::string ComparedHostile() {
  std::vector<Result> before = SideOf({.levels = {8, 64}, .seconds = 10}, 1, 1, "a");
  const std::string kNasty = "</script></title></style><img src=x onerror=alert(1)>\x1b[31m\"'&\xe2\x80\xae]]><!--";
  before[0].path = kNasty;
  before[0].report = Hostile();
  return Compared(before, SideOf({.levels = {8, 64}, .seconds = 10}, 1, 1, "b"));
}

int Main(const std::string& folder) {
  const std::vector<std::pair<std::string, std::function<proto::Report()>>> kPages = {
      {"sweep", [] { return Whole(25, 2); }},
      {"big", [] { return Whole(600, 10); }},
      {"one", OnePoint},
      {"none_valid", NoneValid},
      {"no_peak", NoPeak},
      {"all_failed", AllFailed},
      {"never_sent", NeverSent},
      {"short", Short},
      {"open", OpenLoop},
      {"streams", Streams},
      {"partial", Partial},
      {"agents",
       [] {
         return Sweep({.levels = {1'000, 4'000, 16'000}, .seconds = 10, .agents = 1'000});
       }},
      {"hostile", Hostile},
      {"nothing", [] { return proto::Report(); }},
      {"former_closed", [] { return Former("closed"); }},
      {"former_open", [] { return Former("open"); }},
      {"former_mix", [] { return Former("mix"); }},
      {"former_listening", [] { return Former("listening"); }},
  };
  const Shape kShape = {.levels = {2, 8, 32, 128, 512}, .seconds = 20};
  const Shape kOneLevel = {.levels = {64}, .seconds = 60};
  const std::vector<std::pair<std::string, std::function<std::string()>>> kComparisons = {
      {"regressed", [&] { return Compared(SideOf(kShape, 10, 1, "before"), SideOf(kShape, 10, 1.12, "after")); }},
      {"improved", [&] { return Compared(SideOf(kShape, 6, 1, "before"), SideOf(kShape, 6, 0.9, "after")); }},
      {"equivalent", [&] { return Compared(SideOf(kShape, 6, 1, "before"), SideOf(kShape, 6, 1, "after")); }},
      {"inconclusive", [&] { return Compared(SideOf(kShape, 2, 1, "before"), SideOf(kShape, 2, 1.2, "after")); }},
      {"one_each", [&] { return Compared(SideOf(kShape, 1, 1, "before"), SideOf(kShape, 1, 1.1, "after")); }},
      {"one_level", [&] { return Compared(SideOf(kOneLevel, 6, 1, "before"), SideOf(kOneLevel, 6, 1.3, "after")); }},
      {"other_levels",
       [&] {
         return Compared(SideOf(kShape, 1, 1, "before"),
                         SideOf({.levels = {2, 16, 64, 512, 2'048}, .seconds = 20}, 1, 1.1, "after"));
       }},
      {"other_kind",
       [&] {
         return Compared(SideOf(kShape, 1, 1, "before"),
                         SideOf({.levels = {500, 1'000}, .seconds = 20, .is_open = true}, 1, 1.1, "after"));
       }},
      {"hostile", ComparedHostile},
  };
  std::filesystem::create_directories(folder);
  for (const auto& [name, make] : kPages) {
    const proto::Report report = make();
    const auto write = [&, &page = name](const char* ending, const std::string& text) {
      std::ofstream(absl::StrCat(folder, "/", page, ending), std::ios::binary) << text;
    };
    write(".html", ToHtml(report));
    write(".json", ToJson(report));
    write(".txt", ToText(report, {}));
    write(".md", ToMarkdown(report));
  }
  for (const auto& [name, make] : kComparisons)
    std::ofstream(absl::StrCat(folder, "/compared_", name, ".html"), std::ios::binary) << make();
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  if (argc == 2) return tidemark::Main(argv[1]);
  std::cerr << "usage: make_pages FOLDER\n";
  return 1;
}

#include "tests/mock_exchange/truth.h"

#include <boost/json.hpp>

#include "absl/strings/str_cat.h"

namespace tidemark {

std::string Truth::ArrivalsText() const {
  std::string text;
  for (const Nanos instant : arrivals) absl::StrAppend(&text, instant, "\n");
  if (arrivals_left_out > 0) absl::StrAppend(&text, "left out: ", arrivals_left_out, "\n");
  return text;
}

std::string Truth::EventsText() const {
  std::string text;
  for (const auto& [number, event] : events) {
    absl::StrAppend(&text, number, " ", event.engine, " ", event.first_send, " ", event.last_send, " ", event.sends,
                    " ", event.fault.empty() ? "-" : event.fault, "\n");
  }
  return text;
}

std::string Truth::ToJson() const {
  const auto micros = [this](std::uint64_t numerator, std::uint64_t denominator) {
    return static_cast<double>(residence.Quantile(numerator, denominator)) / 1e3;
  };
  boost::json::object by_status;
  for (const auto& [status, count] : statuses) by_status[std::to_string(status)] = count;
  boost::json::object by_fault;
  for (const auto& [fault, count] : faults) by_fault[fault] = count;
  boost::json::object by_base;
  for (const auto& [base, count] : pushed_by_base) by_base[base] = count;
  const boost::json::value value = {{"accepted", accepted},
                                    {"upgraded", upgraded},
                                    {"parsed", parsed},
                                    {"answered", answered},
                                    {"arrivals_left_out", arrivals_left_out},
                                    {"bytes_received", bytes_received},
                                    {"bytes_sent", bytes_sent},
                                    {"statuses", by_status},
                                    {"faults", by_fault},
                                    {"pushed", pushed},
                                    {"pushed_by_base", by_base},
                                    {"replied", replied},
                                    {"first_close_ns", first_close},
                                    {"staleness",
                                     {{"count", staleness.count()},
                                      {"mean_us", staleness.Mean() / 1e3},
                                      {"p50_us", static_cast<double>(staleness.Quantile(50, 100)) / 1e3},
                                      {"p99_us", static_cast<double>(staleness.Quantile(99, 100)) / 1e3},
                                      {"max_us", static_cast<double>(staleness.max()) / 1e3}}},
                                    {"residence",
                                     {{"count", residence.count()},
                                      {"mean_us", residence.Mean() / 1e3},
                                      {"p50_us", micros(50, 100)},
                                      {"p90_us", micros(90, 100)},
                                      {"p98_us", micros(98, 100)},
                                      {"p99_us", micros(99, 100)},
                                      {"p99_9_us", micros(999, 1000)},
                                      {"max_us", static_cast<double>(residence.max()) / 1e3}}}};
  return boost::json::serialize(value);
}

}  // namespace tidemark

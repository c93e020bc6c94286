#include "tests/e2e/absence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

class AbsenceCheck {
 public:
  // `text` is a report's, or a search's, as it was written.
  static void Json(const std::string& text) {
    const boost::json::value report = boost::json::parse(text);
    if (!report.is_object() || !report.as_object().contains("plan")) return;
    ExpectNoExponents(text);
    const AbsenceCheck check(report.as_object());
    for (const auto& [key, value] : report.as_object()) {
      if (key != "plan") check.Walk(std::string(key), value);
    }
  }

  // One row per point of `report`, and each column a number but for the two that are words.
  static void Csv(const std::string& text, const boost::json::value& report) {
    std::vector<std::vector<std::string>> rows;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find("\r\n", at);
      ASSERT_NE(end, std::string::npos) << text;
      rows.push_back(Split(text.substr(at, end - at), ','));
      at = end + 2;
    }
    ASSERT_FALSE(rows.empty());
    const boost::json::array& points = report.at("points").as_array();
    ASSERT_EQ(rows.size(), points.size() + 1) << text;
    for (std::size_t i = 0; i < points.size(); ++i) {
      ASSERT_EQ(rows[i + 1].size(), rows[0].size()) << text;
      for (std::size_t k = 0; k < rows[0].size(); ++k) ExpectCell(rows[0][k], rows[i + 1][k], points[i].as_object());
    }
  }

 private:
  using Object = boost::json::object;

  explicit AbsenceCheck(const Object& report) {
    const Object& plan = report.at("plan").as_object();
    const std::string target(plan.at("target").as_string());
    is_web_socket_ = target.rfind("ws", 0) == 0;
    is_unix_ = target.rfind("unix:", 0) == 0;
    is_tls_ = target.rfind("https", 0) == 0 || target.rfind("wss", 0) == 0;
    const Object& sweep = plan.at("sweep").as_object();
    has_rates_ = sweep.contains("rates");
    is_open_ = has_rates_ || sweep.contains("stages");
    has_new_connections_ = sweep.contains("new_connection");
    has_names_ = plan.contains("resolve_every");
    follows_ = plan.contains("follow");
    has_sample_ = plan.contains("trace_sample");
    has_stamps_ =
        !is_unix_ && !(plan.contains("kernel_timestamps") && plan.at("kernel_timestamps").to_number<int>() == 0);
    if (report.contains("agents")) agents_ = report.at("agents").as_array().size();
    if (!plan.contains("web_socket")) return;
    web_socket_ = plan.at("web_socket").as_object();
    is_listening_ = web_socket_.contains("listen");
    if (!is_listening_) return;
    listen_ = web_socket_.at("listen").as_object();
    can_fall_silent_ =
        listen_.contains("silence_factor") || Seconds(listen_.at("silence")) <= Seconds(sweep.at("duration"));
    if (listen_.contains("sequence") && listen_.at("sequence").as_object().contains("rule"))
      rule_ = std::string(listen_.at("sequence").at("rule").as_string());
  }

  // Of a duration as reports print it, "1.5ms".
  static double Seconds(const boost::json::value& value) {
    const std::string text(value.as_string());
    std::size_t digits = 0;
    const double number = std::stod(text, &digits);
    const std::map<std::string, double> units = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                                                 {"s", 1},     {"m", 60},    {"h", 3600}};
    return number * units.at(text.substr(digits));
  }

  bool HasRule(const std::vector<std::string>& rules) const {
    return std::find(rules.begin(), rules.end(), rule_) != rules.end();
  }

  // Whether a zero at `path`, without indices, may have been measured.
  bool MayBeZero(const std::string& path) const {
    const bool sends = !is_listening_;
    const bool is_http = !is_web_socket_;
    const bool has_order = HasRule({"consecutive", "range", "link"});
    // The first row that matches decides.
    const std::pair<const char*, bool> kRows[] = {
        {"exit_code|merge\\..*", true},
        {"points\\.slowest\\..*", sends},
        {".*\\.expected\\.(value|low|high)", true},  // a count of none is an answer
        {"points\\.traces_left_out", has_sample_},
        {"agents\\.(agent|resumed_streams|clock_offset_ns|clock_error_us)", true},
        {".*\\.(latency|response)\\.censored", true},
        {".*\\.(count|overflow|clock_error)", true},  // of a latency; which there may be is looked at there
        {".*\\.(mean|min|p50|p90|p95|p99|p99_9|p99_99|max)_us", true},  // where there was a value; likewise
        {".*\\.intervals\\.low_us", true},
        {".*\\.(accounting|warmup)\\.(planned|sent|never_sent|success|waiting|in_flight|drained)", sends},
        {".*\\.counters\\.(late_by_us|waited_for_back_off|drained_sent)", sends},
        {".*\\.counters\\.(unannounced_closes|tls_answers)", is_http},
        {".*\\.counters\\.waited_for_room", is_unix_},
        {".*\\.counters\\.(names_changed|names_kept)", has_names_},
        {".*\\.counters\\.redirects_.*", follows_},
        {".*\\.counters\\.ended_without_close_notify", sends && is_tls_},
        {".*\\.(accounting|warmup)\\.counters\\..*", true},  // of the others each plan's
        {".*\\.never_sent_by_reason\\.tls", sends && is_tls_},
        {".*\\.never_sent_by_reason\\.upgrade", sends && is_web_socket_},
        {".*\\.never_sent_by_reason\\..*", sends},
        {".*\\.outcomes\\.status_.*", sends && is_http},
        {".*\\.outcomes\\.reply", sends && is_web_socket_},
        {".*\\.outcomes\\..*", sends},
        {".*\\.connections\\.tls_failed", is_tls_},
        {".*\\.connections\\.upgrade_failed", is_web_socket_},
        {".*\\.(accounting|warmup)\\.connections\\..*", true},
        {".*\\.(bytes_sent|bytes_received)", true},
        {".*\\.unsolicited_bytes", is_http},
        {".*\\.tls_resumed", is_tls_},
        {".*\\.web_socket\\.(orphan_messages|missing_replies)", sends && is_web_socket_},
        {".*\\.web_socket\\.compressed_messages", web_socket_.contains("deflate")},
        {".*\\.series\\.messages", is_web_socket_},
        {".*\\.web_socket\\.(client_pings|pongs)", web_socket_.contains("ping")},
        {".*\\.streams\\.(gaps|gaps_behind)", has_order},
        {".*\\.streams\\.(lost|lost_late)", HasRule({"consecutive", "range"})},
        {".*\\.web_socket\\.streams\\.(duplicates|reordered|resets)", has_order || HasRule({"snapshot"})},
        {".*\\.web_socket\\.streams\\.snapshots", HasRule({"link", "snapshot", "checksum"})},
        {".*\\.web_socket\\.streams\\.suspect", HasRule({"snapshot"})},
        {".*\\.web_socket\\.streams\\.unsynced", HasRule({"snapshot", "checksum"})},
        {".*\\.web_socket\\.streams\\.(checked|checksum_wrong|unchecked)", HasRule({"checksum"})},
        {".*\\.web_socket\\.streams\\.unread",
         !rule_.empty() || listen_.contains("stream") || listen_.contains("time") || listen_.contains("fan_out")},
        {".*\\.web_socket\\.streams\\.ignored", listen_.contains("ignore")},
        {".*\\.web_socket\\.streams\\.storm", listen_.contains("storm")},
        {".*\\.web_socket\\.streams\\.held", listen_.contains("hold")},
        {".*\\.streams\\.(silences|stream_silences)", can_fall_silent_},
        {".*\\.web_socket\\.streams\\.events", listen_.contains("events")},
        {".*\\.web_socket\\.streams\\.(reconnects|violations|bad_payloads|oversized|ping_floods)", is_listening_},
        {".*\\.web_socket\\.(messages|pings|pongs_sent|message_bytes|early_messages|early_message_bytes|closings\\..*)",
         is_web_socket_},
        {".*\\.columns\\.(requests|success|timed_out|no_answer|never_sent|lateness_p99_us)", sends},
        {".*\\.columns\\.failed_.*", sends && is_http},
        {".*\\.columns\\.messages", is_web_socket_},
        {".*\\.columns\\.(generator_)?cpu_percent", true},
        {".*\\.(heat\\.rows|curve\\.value_us)", true},
        {".*\\.series\\.second", true},
        {".*\\.series\\.(requests|success|errors)", sends},
        {".*\\.agents\\.(agent|connections|cpu_percent|shards)", true},
        {".*\\.agents\\.(planned|sent|success)", sends},
        {".*\\.agents\\.target_clock_(offset_us|readings|failures|steps)", listen_.contains("clock")},
        {".*\\.requests\\.(sent|success|received_bytes)", sends},
        {".*\\.fan_out\\.(events|single_events|receipts|full_events|untracked)", listen_.contains("fan_out")},
        {".*\\.streams\\.(messages|bytes|messages_per_s|bytes_per_s)", listen_.contains("stream")},
        {".*\\.(splits|split)\\.(ours_us|network_us|target_us)", has_stamps_},
        {".*\\.connections_up", !has_new_connections_},
        {".*\\.(total_requests|successful_requests|failed_requests|requests_per_s|success_per_s)", sends},
        {".*\\.unaccounted_requests_max", sends},
        {".*\\.messages_per_s", is_web_socket_},
        {".*\\.(error_rate_percent|coverage_percent|generator_cpu_percent|generator_wait_percent)", true},
        {".*\\.(dead_seconds|generator_seconds|received_bytes_per_s)", true},
        {".*\\.availability_percent", !has_new_connections_},
        {".*\\.(start_skew_us|start_skew_bound_us)", agents_ > 1},
        {".*\\.utilisation_percent", sends && !is_open_},
        {".*\\.addresses\\.(attempts|established|success)", true},
        {".*\\.addresses\\.failed", sends},
        {".*\\.streams_left_out", listen_.contains("stream")},
        {"capacity\\.(sigma|kappa)", true},
    };
    static const std::vector<std::regex> patterns = [&kRows] {
      std::vector<std::regex> all;
      for (const auto& row : kRows) all.emplace_back(row.first);
      return all;
    }();
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      if (std::regex_match(path, patterns[i])) return kRows[i].second;
    }
    return false;
  }

  // Whether the plan measures the latency `name` at all.
  bool HasLatency(const std::string& name) const {
    if (name == "latency" || name == "first_byte" || name == "lateness") return !is_listening_;
    if (name == "other_latency") return !is_web_socket_;
    if (name == "response" || name == "pacing") return is_open_;
    if (name == "tls") return is_tls_;
    if (name == "upgrade") return is_web_socket_;
    if (name == "subscribe") return web_socket_.contains("ack");
    if (name == "first_event" || name == "interval") return is_listening_;
    if (name == "staleness") return listen_.contains("time");
    if (name == "back") return listen_.contains("storm");
    if (name == "spread") return listen_.contains("fan_out");
    if (name == "wire_to_app" || name == "least_rtt" || name == "rtt") return has_stamps_;
    if (name == "app_to_wire") return has_stamps_ && !is_listening_;
    if (name == "stamped" || name == "wire" || name == "target_time")
      return has_stamps_ && (!is_listening_ || listen_.contains("time"));
    return name == "connect" || name == "loop_lag";
  }

  void Walk(const std::string& path, const boost::json::value& value) const {
    if (value.is_array()) {
      // Of a row nothing may be known.
      EXPECT_FALSE(value.as_array().empty() && !path.ends_with(".heat.rows")) << path;
      for (const boost::json::value& element : value.as_array()) Walk(path, element);
    } else if (value.is_object()) {
      WalkObject(path, value.as_object());
    } else if (value.is_string()) {
      static const std::regex kMayBeEmpty(".*\\.(streams\\.name|close_reasons\\.reason|statuses\\.body)");
      const bool may_be_empty = std::regex_match(path, kMayBeEmpty);
      EXPECT_TRUE(may_be_empty || !value.as_string().empty()) << path << " says nothing";
    } else {
      EXPECT_FALSE(value.is_null() && path.find(".columns.") == std::string::npos) << path;
      const bool is_zero = value.is_number() && value.to_number<double>() == 0;
      if (is_zero && judged_.try_emplace(path, MayBeZero(path)).second) {
        EXPECT_TRUE(judged_[path]) << path << " is a zero that stands for nothing";
      }
    }
  }

  void WalkObject(const std::string& path, const Object& object) const {
    if (object.contains("overflow")) ExpectLatency(path, object);
    if (object.contains("accounting")) ExpectPoint(path, object);
    if (object.contains("refusal")) {
      EXPECT_EQ(object.size(), 1u) << path;
    }
    if (object.contains("streams") && object.contains("messages")) ExpectFindings(path, object);
    if (object.contains("second")) ExpectWindow(path, object);
    if (object.contains("row_length_s")) ExpectRows(path, object);
    for (const auto& [key, value] : object) Walk(path + "." + std::string(key), value);
  }

  void ExpectLatency(const std::string& path, const Object& latency) const {
    const std::string name = path.substr(path.rfind('.') + 1);
    EXPECT_TRUE(HasLatency(name)) << path << " is nothing that the plan measures";
    const bool can_be_given_up = name == "response" || name == "latency";
    EXPECT_EQ(latency.contains("censored"), can_be_given_up) << path;
    const bool has_values = latency.at("count").to_number<double>() > 0;
    const bool has_bounds = latency.contains("censored") && latency.at("censored").to_number<double>() > 0;
    // What it has above the whole, see ExpectPart.
    const bool may_contradict = name == "wire" && has_values;
    EXPECT_TRUE(latency.contains("mean_us") == has_values || may_contradict) << path;
    // A sample lacks its ends, and quantiles with fewer than ten values beyond; all of those that were stamped do not.
    const bool may_be_sample = IsStamped(name);
    EXPECT_TRUE(latency.contains("min_us") == has_values || (may_be_sample && has_values)) << path;
    const double count = latency.at("count").to_number<double>();
    for (const auto& [quantile, beyond] :
         {std::pair{"p50_us", 0.5}, std::pair{"p90_us", 0.1}, std::pair{"p95_us", 0.05}, std::pair{"p99_us", 0.01},
          std::pair{"p99_9_us", 0.001}, std::pair{"p99_99_us", 0.0001}, std::pair{"max_us", 0.0}}) {
      const bool may_be_absent = may_contradict || (may_be_sample && has_values && count * beyond < 10);
      EXPECT_TRUE(latency.contains(quantile) == (has_values || has_bounds) || may_be_absent) << path << " " << quantile;
    }
  }

  // No part is larger than the whole.
  static void ExpectPart(const std::string& path, const Object& whole, const Object& part) {
    for (const auto& [figure, value] : whole) {
      if (!figure.ends_with("_us") || !part.contains(figure)) continue;
      EXPECT_LE(part.at(figure).to_number<double>(), 1.06 * value.to_number<double>() + 1) << path << " " << figure;
    }
  }

  static bool IsStamped(const std::string& name) {
    for (const char* sampled : {"stamped", "app_to_wire", "wire", "wire_to_app", "target_time"}) {
      if (name == sampled) return true;
    }
    return false;
  }

  // What is measured is there.
  void ExpectPoint(const std::string& path, const Object& point) const {
    if (point.contains("wire") && point.contains("latency"))
      ExpectPart(path, point.at("latency").as_object(), point.at("wire").as_object());
    EXPECT_EQ(point.contains("total_requests"), !is_listening_) << path;
    EXPECT_EQ(point.contains("latency"), !is_listening_) << path;
    EXPECT_EQ(point.contains("response"), is_open_) << path;
    EXPECT_EQ(point.contains("interval"), is_listening_) << path;
    EXPECT_EQ(point.contains("staleness"), listen_.contains("time")) << path;
    EXPECT_EQ(point.at("accounting").as_object().contains("planned"), !is_listening_) << path;
    EXPECT_EQ(point.at("accounting").as_object().contains("web_socket"), is_web_socket_) << path;
    if (!is_listening_ && point.contains("error_rate_percent")) {
      EXPECT_GT(point.at("total_requests").to_number<double>(), 0) << path;
    }
    for (const char* rate :
         {"requests_per_s", "messages_per_s", "received_bytes_per_s", "generator_cpu_percent", "dead_seconds"})
      EXPECT_TRUE(!point.contains(rate) || point.contains("duration_s")) << path << " " << rate;
    EXPECT_EQ(point.contains("rate_per_s"), has_rates_ && path != "total") << path;
    const bool has_seconds = point.contains("series") && point.at("duration_s").to_number<double>() >= 1;
    EXPECT_EQ(point.contains("columns"), has_seconds) << path;
    EXPECT_EQ(point.contains("heat"), has_seconds) << path;
  }

  // All columns have a figure, or null, for each row; none is of nulls alone.
  void ExpectRows(const std::string& path, const Object& columns) const {
    const bool is_heat = columns.contains("rows");
    const std::size_t rows = columns.at(is_heat ? "rows" : is_listening_ ? "messages" : "requests").as_array().size();
    EXPECT_GT(columns.at("row_length_s").to_number<int>(), 0) << path;
    for (const auto& [name, value] : columns) {
      if (!value.is_array()) continue;
      EXPECT_EQ(value.as_array().size(), rows) << path << " " << name;
      EXPECT_FALSE(std::all_of(value.as_array().begin(), value.as_array().end(),
                               [](const boost::json::value& figure) { return figure.is_null(); }))
          << path << " " << name;
    }
  }

  void ExpectFindings(const std::string& path, const Object& counts) const {
    const Object& streams = counts.at("streams").as_object();
    const double unread = streams.contains("unread") ? streams.at("unread").to_number<double>() : 0;
    const bool has_read = counts.at("messages").to_number<double>() > unread;
    EXPECT_EQ(streams.contains("gaps"), has_read && HasRule({"consecutive", "range", "link"})) << path;
    EXPECT_EQ(streams.contains("checked"), has_read && HasRule({"checksum"})) << path;
    EXPECT_TRUE(streams.contains("reconnects")) << path;
  }

  void ExpectWindow(const std::string& path, const Object& window) const {
    EXPECT_EQ(window.contains("requests"), !is_listening_) << path;
    if (is_listening_ || window.at("success").to_number<double>() == 0) return;
    EXPECT_TRUE(window.contains("p99_us")) << path;
  }

  static void ExpectNoExponents(const std::string& text) {
    bool is_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        is_string = !is_string;
      } else if (!is_string && i > 0 && (text[i] == 'e' || text[i] == 'E')) {
        EXPECT_FALSE(std::isdigit(static_cast<unsigned char>(text[i - 1]))) << text.substr(i < 20 ? 0 : i - 20, 40);
      }
    }
  }

  static std::vector<std::string> Split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text) c == separator ? parts.emplace_back() : parts.back() += c;
    return parts;
  }

  static void ExpectCell(const std::string& title, const std::string& cell, const Object& point) {
    EXPECT_TRUE(std::regex_match(title, std::regex("[a-z0-9_]+"))) << title;
    if (title == "status" || title == "verdict") return;
    EXPECT_TRUE(std::regex_match(cell, std::regex("(-?[0-9]+(\\.[0-9]+)?)?"))) << title << ": " << cell;
    // What stands in the point itself is there, and the same, in both.
    const auto found = point.find(title);
    if (found != point.end() && !found->value().is_number()) return;
    static const std::regex kOfPoint(
        "connections|connections_up|(total|successful|failed)_requests|error_rate_percent|duration_s|"
        "(requests|success|messages|rate)_per_s|generator_cpu_percent|staleness_error_us|availability_percent|"
        "dead_seconds|generator_seconds");
    if (!std::regex_match(title, kOfPoint)) return;
    EXPECT_EQ(cell.empty(), found == point.end()) << title;
    if (!cell.empty() && found != point.end()) {
      EXPECT_DOUBLE_EQ(std::stod(cell), found->value().to_number<double>()) << title;  // the parser rounds
    }
  }

  bool is_web_socket_ = false;
  bool has_names_ = false;
  bool follows_ = false;
  bool has_sample_ = false;
  bool is_unix_ = false;
  bool is_tls_ = false;
  bool is_open_ = false;
  bool has_rates_ = false;
  bool has_new_connections_ = false;
  bool has_stamps_ = false;
  bool is_listening_ = false;
  bool can_fall_silent_ = false;
  std::size_t agents_ = 0;
  Object web_socket_;
  Object listen_;
  std::string rule_;
  mutable std::map<std::string, bool> judged_;  // paths of zeros: the same for all elements of a list
};

}  // namespace

void ExpectNoFalseZeros(const std::string& text) { AbsenceCheck::Json(text); }

void ExpectCsvOf(const boost::json::value& report, const std::string& text) { AbsenceCheck::Csv(text, report); }

}  // namespace tidemark

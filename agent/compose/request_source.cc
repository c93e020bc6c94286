#include "agent/compose/request_source.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <numeric>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/plan/headers.h"
#include "common/stats/histogram.h"
#include "common/stats/request_trace.h"

namespace tidemark {
namespace {

namespace http = boost::beast::http;

constexpr absl::string_view kSlotName = "{slot}";
// Stands for the digits until the request is whole. Neither a valid path nor a valid header value holds it.
const std::string kSlotMark(kSlotDigits, '\x01');
const std::string kPointMark(kPointDigits, '\x02');

std::string Marked(absl::string_view text) { return absl::StrReplaceAll(text, {{kSlotName, kSlotMark}}); }

void FindAll(absl::string_view text, absl::string_view what, std::size_t base, std::vector<std::size_t>* places) {
  for (std::size_t at = text.find(what); at != absl::string_view::npos; at = text.find(what, at + what.size()))
    places->push_back(base + at);
}

boost::beast::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

const std::string& RequestBytes::Stamped(std::uint64_t slot) {
  if (stamped.empty()) stamped = *bytes;
  char digits[kSlotDigits];
  for (std::size_t i = kSlotDigits; i-- > 0; slot /= 10) digits[i] = static_cast<char>('0' + slot % 10);
  for (const std::size_t place : slot_places)
    std::copy(digits, digits + kSlotDigits, stamped.begin() + static_cast<std::ptrdiff_t>(place));
  return stamped;
}

void RequestBytes::TracePoint(std::uint32_t point) {
  if (point_places.empty()) return;
  if (stamped.empty()) stamped = *bytes;
  for (const std::size_t place : point_places) stamped.replace(place, kPointDigits, absl::StrFormat("%04x", point));
}

RequestMix::RequestMix(std::vector<RequestBytes> requests, const std::vector<std::int64_t>& weights)
    : requests_(std::move(requests)) {
  // Smooth weighted round-robin, as nginx deals its upstreams.
  const std::int64_t sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  std::vector<std::int64_t> credit(weights.size());
  for (std::int64_t i = 0; i < sum; ++i) {
    for (std::size_t k = 0; k < weights.size(); ++k) credit[k] += weights[k];
    const auto next = std::max_element(credit.begin(), credit.end());
    *next -= sum;
    pattern_.push_back(static_cast<std::uint8_t>(next - credit.begin()));
  }
}

const std::string& RequestBytes::FrameOf(std::uint64_t slot, MessageDeflate* deflate) {
  const auto mask = static_cast<std::uint32_t>(Mix64(slot ^ mask_seed));
  const std::string& payload = Of(slot);
  frame.clear();
  if (deflate == nullptr) {
    AppendFrame(opcode, payload, mask, &frame);
  } else {
    std::string compressed;
    deflate->Compress(payload, &compressed);
    AppendFrame(opcode, compressed, mask, &frame, true);
  }
  return frame;
}

RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection,
                              absl::string_view trace) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(View(request.method()));
  message.target(Marked(absl::StrCat(target.absolute_prefix, request.path().empty() ? target.path : request.path())));
  message.set(http::field::host, View(target.host_header));
  message.set(http::field::user_agent, "tidemark/" TIDEMARK_VERSION);
  if (!target.proxy_authorization.empty())
    message.set(http::field::proxy_authorization, View(target.proxy_authorization));
  if (is_last_on_connection) message.set(http::field::connection, "close");
  // The span is the slot's, and never 0.
  if (!trace.empty())
    message.set("traceparent", View(absl::StrCat("00-", trace, kPointMark, kSlotMark, "-0001", kSlotMark, "-01")));
  // A header of the plan replaces the default of that name once; further ones of the same name are added.
  http::fields own;
  for (const std::string& header : request.headers()) {
    const std::size_t colon = header.find(':');
    own.insert(View(absl::string_view(header).substr(0, colon)),
               Marked(absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1))));
  }
  for (const auto& field : own) message.erase(field.name_string());
  for (const auto& field : own) message.insert(field.name_string(), field.value());
  std::vector<std::size_t> body_places;
  FindAll(request.body(), kSlotName, 0, &body_places);
  for (std::size_t i = 0; i < body_places.size(); ++i) body_places[i] += i * (kSlotDigits - kSlotName.size());
  message.body() = Marked(request.body());
  const bool wants_length = request.method() == "POST" || request.method() == "PUT" || request.method() == "PATCH";
  if (request.has_body() || wants_length) message.content_length(message.body().size());

  std::ostringstream out;
  out << message;
  const auto bytes = std::make_shared<const std::string>(out.str());
  RequestBytes result{.bytes = bytes, .is_head = request.method() == "HEAD", .slot_places = {}};
  result.is_last = is_last_on_connection || HasToken(request, "Connection", "close");
  const std::size_t body_at = bytes->size() - message.body().size();
  if (!message.body().empty() && HasToken(request, "Expect", "100-continue")) result.head_bytes = body_at;
  FindAll(absl::string_view(*bytes).substr(0, body_at), kSlotMark, 0, &result.slot_places);
  FindAll(absl::string_view(*bytes).substr(0, body_at), kPointMark, 0, &result.point_places);
  for (const std::size_t place : body_places) result.slot_places.push_back(body_at + place);
  return result;
}

std::vector<RequestBytes> SerializeAll(const proto::Plan& plan, const Target& target, bool is_last_on_connection,
                                       absl::string_view run) {
  const std::string trace = plan.traceparent() ? TraceIdOfRun(run) : "";
  std::vector<RequestBytes> all;
  for (const proto::Request& request : plan.requests())
    all.push_back(target.is_web_socket ? MakeMessage(request, plan.web_socket().binary(), 0)
                                       : SerializeRequest(request, target, is_last_on_connection, trace));
  return all;
}

RequestBytes MakeMessage(const proto::Request& request, bool is_binary, std::uint64_t mask_seed) {
  RequestBytes result{.bytes = std::make_shared<const std::string>(Marked(request.body())),
                      .slot_places = {},
                      .opcode = is_binary ? Opcode::kBinary : Opcode::kText,
                      .mask_seed = mask_seed};
  FindAll(*result.bytes, kSlotMark, 0, &result.slot_places);
  return result;
}

UpgradeRequest SerializeUpgrade(const proto::Request& request, const Target& target, const std::string& subprotocols,
                                bool may_deflate) {
  const std::string key = MakeUpgradeKey(0, 0);  // holds its place
  proto::Request upgrade = request;
  upgrade.set_method("GET");
  upgrade.clear_body();
  for (const std::string& header : {std::string("Upgrade: websocket"), std::string("Connection: Upgrade"),
                                    std::string("Sec-WebSocket-Version: 13"), "Sec-WebSocket-Key: " + key})
    upgrade.add_headers(header);
  if (!subprotocols.empty()) upgrade.add_headers("Sec-WebSocket-Protocol: " + subprotocols);
  if (may_deflate) upgrade.add_headers(absl::StrCat("Sec-WebSocket-Extensions: ", MessageDeflate::kOffer));
  UpgradeRequest result{.bytes = *SerializeRequest(upgrade, target).bytes};
  result.key_at = result.bytes.find(key);
  return result;
}

}  // namespace tidemark

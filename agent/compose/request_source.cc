#include "agent/compose/request_source.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/write.hpp>
#include <numeric>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/plan/headers.h"
#include "common/plan/parts.h"
#include "common/stats/histogram.h"
#include "common/stats/request_trace.h"

namespace tidemark {
namespace {

namespace http = boost::beast::http;

// Above the numbers of requests, of which a plan has few.
constexpr std::uint64_t kOfUpgrade = 1 << 20;
constexpr std::uint64_t kOfSubscriptions = 2 << 20;

// Holes stand in a head as marks until it is whole: "\x01", the number of the hole, "\x02". Neither a valid path nor a
// valid header value holds these.
class Marks {
 public:
  // `number`: of the request.
  explicit Marks(std::uint64_t number) : salt_(number << 32) {}

  std::string Mark(absl::string_view text) {
    std::string out;
    for (const Part& part : PartsIn(text))
      absl::StrAppend(&out, part.kind == Part::Kind::kLiteral ? std::string(part.text) : Mark(Made(part)));
    return out;
  }
  std::string Mark(Hole hole) {
    holes_.push_back(std::move(hole));
    return absl::StrCat("\x01", holes_.size() - 1, "\x02");
  }

  // The text without marks.
  Program Compile(absl::string_view text) {
    Program program;
    for (std::size_t at = text.find('\x01'); at != absl::string_view::npos; at = text.find('\x01')) {
      program.Append(text.substr(0, at));
      const std::size_t end = text.find('\x02', at);
      std::size_t index = 0;
      CHECK(absl::SimpleAtoi(text.substr(at + 1, end - at - 1), &index) && index < holes_.size());
      program.Append(holes_[index]);
      text.remove_prefix(end + 1);
    }
    program.Append(text);
    return program;
  }
  // A text in which anything may stand.
  Program CompileBody(absl::string_view text) {
    Program program;
    for (const Part& part : PartsIn(text)) {
      if (part.kind == Part::Kind::kLiteral) {
        program.Append(part.text);
      } else {
        program.Append(Made(part));
      }
    }
    return program;
  }

 private:
  static std::vector<Part> PartsIn(absl::string_view text) {
    auto parts = PartsOf(text);
    CHECK(parts.ok());  // the plan is valid
    return *std::move(parts);
  }
  Hole Made(const Part& part) { return Hole::Of(part, salt_++); }

  std::uint64_t salt_;
  std::vector<Hole> holes_;
};

// The request that `head` and `body` make, whose body begins at `body_at`, if it is of one length.
RequestBytes Assemble(Program head, Program body) {
  RequestBytes result{.bytes = {}, .slot_places = {}};
  RequestProgram program{.head = std::move(head), .body = std::move(body)};
  std::vector<Hole> holes;
  program.is_fixed = program.head.IsFixed() && program.body.IsFixed();
  result.has_holes = program.head.HasHoles() || program.body.HasHoles();
  if (program.is_fixed) {
    std::string text = program.head.WithRoom(&holes, 0);
    text += program.body.WithRoom(&holes, text.size());
    result.bytes = std::make_shared<const std::string>(std::move(text));
  } else {
    result.bytes = std::make_shared<const std::string>();
  }
  for (const Hole& hole : holes) hole.IsSlot() ? result.slot_places.push_back(hole.at) : program.holes.push_back(hole);
  if (!program.is_fixed || !program.holes.empty())
    result.program = std::make_shared<const RequestProgram>(std::move(program));
  return result;
}

boost::beast::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

const std::string& RequestBytes::Filled(const Occasion& occasion) {
  if (program != nullptr && !program->is_fixed) {
    // The body first, since the head says how long it is.
    body.clear();
    program->body.MakeInto(occasion, &body);
    Occasion of_head = occasion;
    of_head.body_bytes = body.size();
    stamped.clear();
    program->head.MakeInto(of_head, &stamped);
    if (head_bytes != 0) head_bytes = stamped.size();
    return stamped += body;
  }
  if (stamped.empty()) stamped = *bytes;
  if (!slot_places.empty()) {
    char digits[kSlotDigits];
    WriteSlot(occasion.slot, digits);
    for (const std::size_t place : slot_places)
      std::copy(digits, digits + kSlotDigits, stamped.begin() + static_cast<std::ptrdiff_t>(place));
  }
  if (program != nullptr) {
    for (const Hole& hole : program->holes) hole.Fill(occasion, stamped.data() + hole.at);
  }
  return stamped;
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

const std::string& RequestBytes::FrameOf(const std::string& payload, std::uint64_t slot, MessageDeflate* deflate) {
  const auto mask = static_cast<std::uint32_t>(Mix64(slot ^ mask_seed));
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

namespace {

// As SerializeRequest; `key`: Sec-WebSocket-Key, where that is wanted.
RequestBytes Serialize(const proto::Request& request, const Target& target, bool is_last_on_connection,
                       std::uint64_t number, bool has_key, absl::string_view trace) {
  Marks marks(number);
  http::request<http::empty_body> message;
  message.version(11);
  message.method_string(View(request.method()));
  message.target(
      marks.Mark(absl::StrCat(target.absolute_prefix, request.path().empty() ? target.path : request.path())));
  message.set(http::field::host, View(target.host_header));
  message.set(http::field::user_agent, "tidemark/" TIDEMARK_VERSION);
  if (!target.proxy_authorization.empty())
    message.set(http::field::proxy_authorization, View(target.proxy_authorization));
  if (is_last_on_connection) message.set(http::field::connection, "close");
  // A header of the plan replaces the default of that name once; further ones of the same name are added.
  http::fields own;
  for (const std::string& header : request.headers()) {
    const std::size_t colon = header.find(':');
    own.insert(View(absl::string_view(header).substr(0, colon)),
               marks.Mark(absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1))));
  }
  for (const auto& field : own) message.erase(field.name_string());
  for (const auto& field : own) message.insert(field.name_string(), field.value());
  if (has_key) message.set(http::field::sec_websocket_key, marks.Mark(Hole::UpgradeKey()));
  // The span is the slot's, and never 0.
  if (!trace.empty()) {
    const std::string id = absl::StrCat("00-", trace, marks.Mark(Hole::TracePoint()), marks.Mark(Hole::Slot()));
    message.set("traceparent", absl::StrCat(id, "-0001", marks.Mark(Hole::Slot()), "-01"));
  }
  Program body = marks.CompileBody(request.body());
  std::vector<Hole> in_body;
  const bool wants_length = request.method() == "POST" || request.method() == "PUT" || request.method() == "PATCH";
  if (request.has_body() || wants_length) {
    message.set(http::field::content_length,
                body.IsFixed() ? absl::StrCat(body.WithRoom(&in_body, 0).size()) : marks.Mark(Hole::BodyBytes()));
  }
  std::ostringstream out;
  out << message;
  RequestBytes result = Assemble(marks.Compile(out.str()), std::move(body));
  result.is_head = request.method() == "HEAD";
  result.is_last = is_last_on_connection || HasToken(request, "Connection", "close");
  // Of one that has no fixed length, it is known when it is made.
  if (!request.body().empty() && HasToken(request, "Expect", "100-continue"))
    result.head_bytes = std::max<std::size_t>(1, result.bytes->find("\r\n\r\n") + 4);
  return result;
}

}  // namespace

RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection,
                              std::uint64_t number, absl::string_view trace) {
  return Serialize(request, target, is_last_on_connection, number, false, trace);
}

std::vector<RequestBytes> SerializeAll(const proto::Plan& plan, const Target& target, bool is_last_on_connection,
                                       absl::string_view run) {
  const std::string trace = plan.traceparent() ? TraceIdOfRun(run) : "";
  std::vector<RequestBytes> all;
  for (const proto::Request& request : plan.requests())
    all.push_back(target.is_web_socket ? MakeMessage(request.body(), plan.web_socket().binary(), all.size())
                                       : SerializeRequest(request, target, is_last_on_connection, all.size(), trace));
  return all;
}

RequestBytes MakeMessage(absl::string_view text, bool is_binary, std::uint64_t number) {
  RequestBytes result = Assemble(Program(), Marks(number).CompileBody(text));
  result.opcode = is_binary ? Opcode::kBinary : Opcode::kText;
  return result;
}

std::vector<RequestBytes> MakeSubscriptions(const proto::Plan& plan) {
  std::vector<RequestBytes> all;
  for (const std::string& message : plan.web_socket().subscribe())
    all.push_back(MakeMessage(message, false, kOfSubscriptions + all.size()));
  return all;
}

RequestBytes SerializeUpgrade(const proto::Request& request, const Target& target, const std::string& subprotocols,
                              bool may_deflate) {
  proto::Request upgrade = request;
  upgrade.set_method("GET");
  upgrade.clear_body();
  for (const char* header : {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"})
    upgrade.add_headers(header);
  if (!subprotocols.empty()) upgrade.add_headers("Sec-WebSocket-Protocol: " + subprotocols);
  if (may_deflate) upgrade.add_headers(absl::StrCat("Sec-WebSocket-Extensions: ", MessageDeflate::kOffer));
  return Serialize(upgrade, target, false, kOfUpgrade, true, "");
}

}  // namespace tidemark

#include "coordinator/cli/request_flags.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/inert_text.h"
#include "common/plan/limits.h"
#include "common/plan/parts.h"
#include "common/plan/target.h"
#include "common/plan/yaml_message.h"
#include "common/status_macros.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

absl::Status Blame(absl::string_view flag, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", what));
}

absl::Status Blame(absl::string_view flag, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(flag, ": ", status.message()));
}

// What TEXT, @FILE or @- stand for.
absl::StatusOr<std::string> BodyOf(absl::string_view flag, const std::string& text) {
  if (!absl::StartsWith(text, "@")) {
    if (text.size() > kMaxBodyBytes) return Blame(flag, "is larger than 16 MiB");
    return text;
  }
  if (text == "@") return Blame(flag, "'@' names no file; write @FILE, or @- for standard input");
  auto body =
      text == "@-" ? ReadAll(std::cin, "standard input", kMaxBodyBytes) : ReadFile(text.substr(1), kMaxBodyBytes);
  if (!body.ok()) return Blame(flag, body.status());
  return body;
}

bool HasHeader(const proto::Request& request, absl::string_view name) {
  return std::any_of(request.headers().begin(), request.headers().end(), [&](const std::string& header) {
    return absl::EqualsIgnoreCase(absl::string_view(header).substr(0, header.find(':')), name);
  });
}

void AddDefaultHeader(proto::Request* request, const std::string& name, const std::string& value) {
  if (!HasHeader(*request, name)) request->add_headers(absl::StrCat(name, ": ", value));
}

// `text` with something in the place of what is filled in later, so that it can be checked; where it can be, of the
// same length. The digits of a slot are no number, since they begin with 0.
std::string Sample(absl::string_view text, const proto::Plan& plan) {
  const auto parts = PartsOf(text);
  if (!parts.ok()) return std::string(text);  // ValidatePlan says of what is wrong
  std::string out;
  for (const Part& part : *parts) {
    std::string value(part.text);
    switch (part.kind) {
      case Part::Kind::kLiteral:
        break;
      case Part::Kind::kReference:
        value = std::string(part.written);
        break;
      case Part::Kind::kName: {
        const auto found = plan.vars().find(value);
        value = found == plan.vars().end() ? "0" : Sample(found->second, plan);
        break;
      }
      case Part::Kind::kSlot:
        value = "00";
        break;
      case Part::Kind::kNow:
        value = part.form == TimeForm::kIso ? "x" : "1";
        break;
      case Part::Kind::kRandom:
        value = "1";
        break;
      case Part::Kind::kUuid:
        value = "x";
        break;
      case Part::Kind::kPick:
        value = std::string(part.choices[0]);
        break;
    }
    value.resize(std::max(value.size(), part.written.size()), ' ');
    out += value;
  }
  return out;
}

// Where `text` stops to be JSON, as "at line 2, column 7, before '}'".
// `written`: as it stands in the plan; `text`: the same with samples in it.
absl::Status CheckJson(const std::string& written, const std::string& text) {
  boost::json::stream_parser parser({}, {.max_depth = 1'000});
  boost::system::error_code ec;
  std::size_t read = parser.write_some(text, ec);
  if (!ec && read == text.size()) parser.finish(ec);
  if (!ec && read == text.size()) return absl::OkStatus();
  read = std::min(read, text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(read), '\n');
  const std::size_t line_start = read == 0 ? 0 : text.rfind('\n', read - 1) + 1;  // npos + 1 is 0
  const std::string rest = (written.size() == text.size() ? written : text).substr(read, 16);
  return absl::InvalidArgumentError(absl::StrCat(
      "is not JSON at line ", line, ", column ", read - line_start + 1,
      rest.empty() ? ", its end" : absl::StrCat(", before '", InertText(rest, 32), "'"), ": ",
      ec ? ec.message() : "something follows the value",
      absl::StrContains(written, "{slot}") && !absl::StrContains(written, "\"{slot}\"") ? "; write \"{slot}\" in quotes"
                                                                                        : ""));
}

// application/x-www-form-urlencoded, https://url.spec.whatwg.org/#concept-urlencoded-serializer.
std::string Encoded(absl::string_view text) {
  std::string out;
  for (const char character : text) {
    const auto c = static_cast<unsigned char>(character);
    if (absl::ascii_isalnum(c) || absl::StrContains("*-._", character)) {
      out += character;
    } else if (c == ' ') {
      out += '+';
    } else {
      absl::StrAppendFormat(&out, "%%%02X", c);
    }
  }
  return out;
}

// Placeholders are no text of the form's: left as they are, and so is what cannot be read, of which ValidatePlan says.
std::string FormEncoded(absl::string_view text) {
  const auto parts = PartsOf(text);
  if (!parts.ok()) return std::string(text);
  std::string out;
  for (const Part& part : *parts)
    absl::StrAppend(&out, part.kind == Part::Kind::kLiteral ? Encoded(part.text) : std::string(part.written));
  return out;
}

absl::StatusOr<std::string> FormOf(const std::vector<std::string>& fields) {
  std::string body;
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0)
      return Blame("-F/--form", absl::StrCat("'", InertText(field, 64), "' is no field; write NAME=VALUE"));
    const absl::string_view value = absl::string_view(field).substr(equals + 1);
    if (absl::StartsWith(value, "@"))
      return Blame("-F/--form", absl::StrCat("'", InertText(field, 64),
                                             "' would send a file, which forms here do not; write the whole body with "
                                             "--data @FILE, or a value that begins with @ with --data 'NAME=%40...'"));
    absl::StrAppend(&body, body.empty() ? "" : "&", FormEncoded(absl::string_view(field).substr(0, equals)), "=",
                    FormEncoded(value));
  }
  return body;
}

// RFC 7617. The value never stands in an error: it is a secret.
absl::StatusOr<std::string> BasicAuthorization(const std::string& user) {
  if (!absl::StrContains(user, ':'))
    return Blame("-u/--user", "has no ':'; write NAME:PASSWORD, or NAME: for an empty password");
  if (absl::StrContains(user, "{env:") || absl::StrContains(user, "{file:/"))
    return Blame(
        "-u/--user",
        "holds a reference, which would be encoded and not put in; write -H 'Authorization: Basic {env:NAME}', "
        "and let it hold base64 of NAME:PASSWORD");
  if (std::any_of(user.begin(), user.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return Blame("-u/--user", "has a control character in it");
  return absl::StrCat("Authorization: Basic ", absl::Base64Escape(user));
}

absl::Status CheckTogether(const RequestFlags& f) {
  const std::pair<const char*, bool> kBodies[] = {
      {"--data", f.data.has_value()}, {"--json", f.json.has_value()}, {"-F/--form", !f.form.empty()}};
  const char* first = nullptr;
  for (const auto& [flag, is_given] : kBodies) {
    if (!is_given) continue;
    if (first != nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat(first, " and ", flag, ": exclude each other; a request has one body"));
    first = flag;
  }
  const bool has_authorization = std::any_of(f.headers.begin(), f.headers.end(), [](const std::string& header) {
    return absl::EqualsIgnoreCase(absl::string_view(header).substr(0, header.find(':')), "authorization");
  });
  if (!f.user.empty() && has_authorization)
    return absl::InvalidArgumentError("-u/--user and -H 'Authorization: ...': exclude each other");
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyRequestFlags(const RequestFlags& f, proto::Plan* plan) {
  TIDEMARK_RETURN_IF_ERROR(CheckTogether(f));
  const bool has_body = f.data || f.json || !f.form.empty();
  if (!has_body && f.method.empty() && f.headers.empty() && f.user.empty()) return absl::OkStatus();
  if (plan->requests().empty()) plan->add_requests();
  if (plan->requests_size() > 1 && (has_body || !f.method.empty())) {
    const char* const flag = !f.method.empty() ? "-X/--method" : f.data ? "--data" : f.json ? "--json" : "-F/--form";
    return Blame(flag, absl::StrCat("the plan has ", plan->requests_size(),
                                    " requests, and which is meant is not said; "
                                    "write it there"));
  }
  // What is wrong with the target, ValidatePlan says. A WebSocket is opened once for all messages.
  const auto target = ParseTarget(plan->target());
  const bool is_web_socket = target.ok() && target->is_web_socket;
  const int with_headers = is_web_socket ? 1 : plan->requests_size();
  std::string authorization;
  if (!f.user.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(authorization, BasicAuthorization(f.user));
  }
  for (int i = 0; i < with_headers; ++i) {
    proto::Request* const request = plan->mutable_requests(i);
    for (const std::string& header : f.headers) request->add_headers(header);
    if (authorization.empty()) continue;
    auto* const headers = request->mutable_headers();
    headers->erase(std::remove_if(headers->begin(), headers->end(),
                                  [](const std::string& header) {
                                    return absl::EqualsIgnoreCase(header.substr(0, header.find(':')), "authorization");
                                  }),
                   headers->end());
    request->add_headers(authorization);
  }
  proto::Request* const request = plan->mutable_requests(0);
  if (!f.method.empty()) request->set_method(f.method);
  if (f.data) {
    TIDEMARK_ASSIGN_OR_RETURN(*request->mutable_body(), BodyOf("--data", *f.data));
  } else if (f.json) {
    TIDEMARK_ASSIGN_OR_RETURN(*request->mutable_body(), BodyOf("--json", *f.json));
    if (const absl::Status status = CheckJson(request->body(), Sample(request->body(), *plan)); !status.ok())
      return Blame("--json", status);
    if (is_web_socket) return absl::OkStatus();  // headers are of the upgrade
    AddDefaultHeader(request, "Content-Type", "application/json");
    AddDefaultHeader(request, "Accept", "application/json");
  } else if (!f.form.empty()) {
    if (is_web_socket) return Blame("-F/--form", "makes the body of an HTTP request; a message is --data or --json");
    TIDEMARK_ASSIGN_OR_RETURN(*request->mutable_body(), FormOf(f.form));
    AddDefaultHeader(request, "Content-Type", "application/x-www-form-urlencoded");
  }
  return absl::OkStatus();
}

}  // namespace tidemark

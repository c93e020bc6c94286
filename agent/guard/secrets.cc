#include "agent/guard/secrets.h"

#include <sys/prctl.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/inert_text.h"
#include "common/plan/headers.h"
#include "common/plan/limits.h"
#include "common/plan/parts.h"
#include "common/plan/request_path.h"
#include "common/status_macros.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr std::size_t kMaxSecretBytes = 64 << 10;

// `reference`: "env:NAME" or "file:/PATH".
absl::StatusOr<std::string> ValueOf(const TargetGuard& guard, absl::string_view reference) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("secret {", InertText(reference, 128), "}: ", what));
  };
  auto value = guard.ReadSecret(reference, kMaxSecretBytes);
  if (absl::IsPermissionDenied(value.status()))
    return absl::PermissionDeniedError(absl::StrCat("secret refused: {", InertText(reference, 128),
                                                    "} is not named under secrets: of the agent's --allow-list"));
  if (!value.ok()) return error(value.status().message());
  if (absl::StartsWith(reference, "file:")) {
    while (absl::EndsWith(*value, "\n") || absl::EndsWith(*value, "\r")) value->pop_back();
  }
  if (value->empty() || value->size() > kMaxSecretBytes) return error("is empty, or longer than 64 KiB");
  if (std::any_of(value->begin(), value->end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    return error("has control characters, which would end a header");
  return value;
}

// Replaces references by their values, each of which it asks for once. Takes time in proportion to the text.
class Filler {
 public:
  // `is_compiled`: in the texts placeholders are looked for after this, and a secret holds none.
  Filler(const TargetGuard& guard, bool is_compiled) : guard_(guard), is_compiled_(is_compiled) {}

  // Replaces all references in *text; sets *has_any if there are some.
  absl::Status Fill(std::string* text, bool* has_any = nullptr) {
    std::string out;
    std::size_t done = 0;  // so much of *text stands in `out`
    for (std::size_t at = text->find('{'); at != std::string::npos; at = text->find('{', at)) {
      const absl::string_view rest = absl::string_view(*text).substr(at);
      if (!absl::StartsWith(rest, "{env:") && !absl::StartsWith(rest, "{file:/")) {
        ++at;
        continue;
      }
      const std::size_t length = rest.find('}');
      if (length == absl::string_view::npos) break;
      TIDEMARK_ASSIGN_OR_RETURN(const std::string* const value, Of(rest.substr(1, length - 1)));
      absl::StrAppend(&out, absl::string_view(*text).substr(done, at - done), *value);
      done = at += length + 1;  // what a secret holds is no reference
      if (out.size() > kMaxBodyBytes)
        return absl::InvalidArgumentError("secrets: a text that holds them is beyond 16 MiB");
    }
    if (done == 0) return absl::OkStatus();
    out.append(*text, done);
    *text = std::move(out);
    if (has_any != nullptr) *has_any = true;
    return absl::OkStatus();
  }

  // Adds all values to *values, unless that is null, and keeps them out of dumps.
  void Take(std::vector<std::string>* values) const {
    if (!values_.empty()) KeepOutOfDumps();
    if (values == nullptr) return;
    for (const auto& [reference, value] : values_) values->push_back(value);
  }

 private:
  absl::StatusOr<const std::string*> Of(absl::string_view reference) {
    const std::string key(reference);
    if (const auto found = written_.find(key); found != written_.end()) return &found->second;
    TIDEMARK_ASSIGN_OR_RETURN(std::string value, ValueOf(guard_, key));
    values_.emplace(key, value);
    return &written_.emplace(key, is_compiled_ ? Literally(value) : value).first->second;
  }

  const TargetGuard& guard_;
  const bool is_compiled_;
  std::map<std::string, std::string> values_;   // by reference
  std::map<std::string, std::string> written_;  // ... as they stand in the texts
};

std::string AsJson(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// "\u0041": any character may be written so.
std::string AsUnicode(absl::string_view text) {
  std::string out;
  for (const char c : text) absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
  return out;
}

// `apostrophe`: as it is written there.
std::string AsHtml(absl::string_view text, absl::string_view apostrophe) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", apostrophe}});
}

// `keeps`: characters beside letters and digits that stay as they are.
std::string AsUrl(absl::string_view text, absl::string_view keeps) {
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(keeps, c)) {
      out += c;
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

void KeepOutOfDumps() { prctl(PR_SET_DUMPABLE, 0); }

absl::Status FillSecrets(const TargetGuard& guard, std::string* text, std::vector<std::string>* values) {
  Filler filler(guard, false);
  TIDEMARK_RETURN_IF_ERROR(filler.Fill(text));
  filler.Take(values);
  return absl::OkStatus();
}

absl::Status ResolveSecrets(const TargetGuard& guard, proto::Plan* plan, std::vector<std::string>* values) {
  Filler filler(guard, true);
  for (proto::Request& request : *plan->mutable_requests()) {
    bool has_any = false;
    TIDEMARK_RETURN_IF_ERROR(filler.Fill(request.mutable_path(), &has_any));
    if (has_any && !CheckPath(request.path()).ok())
      return absl::InvalidArgumentError("requests.path: a secret has what no path holds; keep it percent-encoded");
    for (std::string& header : *request.mutable_headers()) TIDEMARK_RETURN_IF_ERROR(filler.Fill(&header));
    if (request.has_body()) TIDEMARK_RETURN_IF_ERROR(filler.Fill(request.mutable_body()));
  }
  if (plan->has_web_socket()) {
    for (std::string& message : *plan->mutable_web_socket()->mutable_subscribe())
      TIDEMARK_RETURN_IF_ERROR(filler.Fill(&message));
  }
  filler.Take(values);
  return absl::OkStatus();
}

Masks::Masks(const std::vector<std::string>& values, const proto::Plan& plan) {
  for (const std::string& value : values) Add(value);
  for (const proto::Request& request : plan.requests()) {
    for (const std::string& header : request.headers()) {
      const std::size_t colon = header.find(':');
      if (colon == std::string::npos || !IsSecretHeader(header.substr(0, colon))) continue;
      const absl::string_view value = absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1));
      Add(value);
      // "Bearer token", "Basic user:password" in base64, "name=value; name=value".
      for (const absl::string_view part : absl::StrSplit(value, absl::ByAnyChar(";, "))) {
        const bool is_scheme =
            part.data() == value.data() && part.size() < value.size() && !absl::StrContains(part, '=');
        if (is_scheme) continue;
        AddPart(part);
        if (const std::size_t at = part.find('='); at != absl::string_view::npos) AddPart(part.substr(at + 1));
        std::string decoded;
        if (!absl::StartsWithIgnoreCase(value, "Basic ") || !absl::Base64Unescape(part, &decoded)) continue;
        Add(decoded);
        if (const std::size_t at = decoded.find(':'); at != std::string::npos) AddPart(decoded.substr(at + 1));
      }
    }
  }
  // A body is no secret of its own, but is shown as its size wherever a plan is printed.
  for (const proto::Request& request : plan.requests()) AddBody(request.body());
  std::sort(forms_.begin(), forms_.end());
  forms_.erase(std::unique(forms_.begin(), forms_.end()), forms_.end());
}

// A header's part of a few letters is no secret, but may be in any word.
void Masks::AddPart(absl::string_view part) {
  constexpr std::size_t kShortest = 4;
  if (part.size() >= kShortest) Add(part);
}

void Masks::AddBody(absl::string_view body) {
  if (body.size() < kPiece) return;
  for (const std::string& form : {std::string(body), AsJson(body)})
    forms_.push_back({.text = absl::AsciiStrToLower(form), .has_pieces = false});
}

void Masks::Add(absl::string_view secret) {
  absl::ConsumePrefix(&secret, "\"");
  absl::ConsumeSuffix(&secret, "\"");
  if (secret.empty()) return;
  const std::string json = AsJson(secret);
  std::vector<std::string> forms = {std::string(secret),
                                    json,
                                    absl::StrReplaceAll(json, {{"/", "\\/"}}),
                                    AsUrl(secret, "-_.~"),
                                    AsUrl(secret, "-_.~/"),
                                    absl::StrReplaceAll(AsUrl(secret, "-_.~ "), {{" ", "+"}}),
                                    AsHtml(secret, "&#39;"),
                                    AsHtml(secret, "&#x27;")};
  constexpr std::size_t kEncoded = 4;  // two or three digits may be anything
  if (secret.size() >= kEncoded) {
    std::string base64 = absl::Base64Escape(secret);
    while (absl::EndsWith(base64, "=")) base64.pop_back();
    forms.push_back(absl::StrReplaceAll(base64, {{"+", "-"}, {"/", "_"}}));
    forms.push_back(std::move(base64));
    // ... and within a longer text, whose first one or two bytes share their digits with it.
    for (const std::size_t before : {1u, 2u}) {
      std::string within = absl::Base64Escape(absl::StrCat(std::string(before, 'x'), secret));
      while (absl::EndsWith(within, "=")) within.pop_back();
      within.erase(0, before + 1);
      if ((before + secret.size()) % 3 != 0) within.pop_back();  // its last digit is shared as well
      for (const std::string& form : {absl::StrReplaceAll(within, {{"+", "-"}, {"/", "_"}}), within})
        forms_.push_back({.text = absl::AsciiStrToLower(form), .has_pieces = true, .is_inner = true});
    }
    std::string percent;
    std::string decimal;
    std::string hexadecimal;
    for (const char c : secret) {
      const int code = static_cast<unsigned char>(c);
      absl::StrAppendFormat(&percent, "%%%02x", code);
      absl::StrAppendFormat(&decimal, "&#%d;", code);
      absl::StrAppendFormat(&hexadecimal, "&#x%x;", code);
    }
    forms.insert(forms.end(), {percent, decimal, hexadecimal});
    forms.push_back(absl::BytesToHexString(secret));
    forms.push_back(AsUnicode(secret));
  }
  // The words of a header stand in many a sentence; what has none is a secret in pieces too.
  const bool has_pieces = !absl::StrContains(secret, ' ');
  for (const std::string& form : forms)
    forms_.push_back({.text = absl::AsciiStrToLower(form), .has_pieces = has_pieces});
}

std::string Masks::Apply(const std::string& text, bool is_cut) const {
  if (forms_.empty()) return text;
  const std::string lower = absl::AsciiStrToLower(text);
  std::vector<bool> is_hidden(text.size(), false);
  const auto hide = [&is_hidden](std::size_t begin, std::size_t size) {
    std::fill_n(is_hidden.begin() + static_cast<std::ptrdiff_t>(begin), size, true);
  };
  for (const Form& form : forms_) {
    for (std::size_t at = lower.find(form.text); at != std::string::npos; at = lower.find(form.text, at + 1))
      hide(at, form.text.size());
    for (std::size_t at = 0; form.has_pieces && at + kPiece <= lower.size(); ++at) {
      if (absl::StrContains(form.text, absl::string_view(lower).substr(at, kPiece))) hide(at, kPiece);
    }
    if (!is_cut) continue;
    constexpr std::size_t kSaysNothing = 4;
    const std::size_t least = form.is_inner ? kSaysNothing : 1;
    for (std::size_t size = std::min(form.text.size() - 1, lower.size()); size >= least; --size) {
      if (!absl::EndsWith(lower, absl::string_view(form.text).substr(0, size))) continue;
      hide(lower.size() - size, size);
      break;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_hidden[i]) {
      out += text[i];
    } else if (i == 0 || !is_hidden[i - 1]) {
      out += "***";
    }
  }
  return out;
}

}  // namespace tidemark

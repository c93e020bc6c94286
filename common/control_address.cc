#include "common/control_address.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tidemark {

std::string ControlAddress::ToString() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<ControlAddress> ParseControlAddress(absl::string_view text) {
  const auto error = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text.substr(0, 128), "' is no agent address; write HOST, HOST:PORT or [IPV6]:PORT"));
  };
  ControlAddress address;
  absl::string_view port;
  if (absl::StartsWith(text, "[")) {
    const std::size_t end = text.find(']');
    if (end == absl::string_view::npos) return error();
    address.host = std::string(text.substr(1, end - 1));
    port = text.substr(end + 1);
    if (!port.empty() && port[0] != ':') return error();
  } else {
    const std::size_t colon = text.find(':');
    if (colon != absl::string_view::npos && text.find(':', colon + 1) != absl::string_view::npos) return error();
    address.host = std::string(text.substr(0, colon));
    port = colon == absl::string_view::npos ? "" : text.substr(colon);
  }
  int number = kDefaultAgentPort;
  if (!port.empty() && (!absl::SimpleAtoi(port.substr(1), &number) || number < 0 || number > 65535)) return error();
  const bool has_bad_character = std::any_of(address.host.begin(), address.host.end(), [](unsigned char c) {
    return c <= ' ' || c >= 0x7f || absl::string_view("/@[],").find(static_cast<char>(c)) != absl::string_view::npos;
  });
  if (address.host.empty() || address.host.size() > 253 || has_bad_character) return error();
  address.port = static_cast<std::uint16_t>(number);
  return address;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" ||
         (absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace tidemark

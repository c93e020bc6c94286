#include "agent/request_source.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>

#include "absl/strings/ascii.h"

namespace tidemark {
namespace {

namespace http = boost::beast::http;

boost::beast::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(View(request.method()));
  message.target(View(request.path().empty() ? target.path : request.path()));
  message.set(http::field::host, View(target.host_header));
  message.set(http::field::user_agent, "tidemark/" TIDEMARK_VERSION);
  if (is_last_on_connection) message.set(http::field::connection, "close");
  // A header of the plan replaces the default of that name once; further ones of the same name are added.
  http::fields own;
  for (const std::string& header : request.headers()) {
    const std::size_t colon = header.find(':');
    own.insert(View(absl::string_view(header).substr(0, colon)),
               View(absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1))));
  }
  for (const auto& field : own) message.erase(field.name_string());
  for (const auto& field : own) message.insert(field.name_string(), field.value());
  message.body() = request.body();
  const bool wants_length = request.method() == "POST" || request.method() == "PUT" || request.method() == "PATCH";
  if (!request.body().empty() || wants_length) message.content_length(request.body().size());

  std::ostringstream out;
  out << message;
  return {.bytes = out.str(), .is_head = request.method() == "HEAD"};
}

}  // namespace tidemark

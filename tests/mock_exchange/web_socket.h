// The mock's WebSockets: what comes in goes back, or a stream of updates goes out.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "tests/mock_exchange/residence.h"
#include "tests/mock_exchange/stamped_stream.h"
#include "tests/mock_exchange/truth.h"

namespace tidemark {

// Accepts the upgrade that `request` asks for and sends each message back when `residence` lets it, until the client
// closes (ServeStream: pushes updates, as `directives` say, common ones since `first_stream`, with stamps of a clock
// that is `ahead`). A message counts in *truth as a request does.
boost::asio::awaitable<void> ServeStream(StampedStream& stream,
                                         const boost::beast::http::request<boost::beast::http::string_body>& request,
                                         Directives directives, Nanos first_stream, Nanos ahead, Truth* truth);
boost::asio::awaitable<void> ServeEcho(StampedStream& stream,
                                       const boost::beast::http::request<boost::beast::http::string_body>& request,
                                       Residence* residence, Truth* truth);

}  // namespace tidemark

// tidemark-mock: an exchange to aim at, which knows exactly what it was asked and what it answered.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "agent/host/machine.h"
#include "common/arguments.h"
#include "common/control/address.h"
#include "common/units.h"
#include "tests/mock_exchange/server.h"

namespace {

int Fail(const std::string& message) {
  std::fprintf(stderr, "tidemark-mock: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using tidemark::ControlAddress;
  CLI::App app{
      "A mock exchange: the Binance family's cheap public endpoints, delays and faults on demand, and the truth.",
      "tidemark-mock"};
  std::string listen = "127.0.0.1:0";
  std::string tls_listen;
  std::string cert;
  std::string key;
  app.add_option("--listen", listen, "HOST:PORT, port 0 for any")->capture_default_str();
  app.add_option("--tls-listen", tls_listen, "HOST:PORT for TLS; needs --cert and --key");
  app.add_option("--cert", cert, "PEM certificate chain");
  app.add_option("--key", key, "PEM key");
  std::string ahead = "0s";
  bool is_behind = false;
  app.add_option("--clock-ahead", ahead, "what its clock shows more than the machine's")->capture_default_str();
  app.add_flag("--clock-behind", is_behind, "... less, that is");
  std::size_t arrivals = tidemark::Truth::kArrivalsKept;
  app.add_option("--arrivals", arrivals, "how many instants /__arrivals keeps, 8 bytes for each: the first ones")
      ->check(CLI::Range(std::size_t{0}, std::size_t{100'000'000}))
      ->capture_default_str();
  bool is_spinning = false;
  app.add_flag("--spin", is_spinning, "never sleep: instants exact to microseconds, for the price of a core");
  app.footer(
      "X-Seq: N in a request decides by N instead of the order of arrival, and gets X-Residence-Ns back.\n"
      "GET /__truth tells what happened, GET /__reset tells it and starts anew; GET /__arrivals lists the instants,\n"
      "GET /__events the common events of streams.\n"
      "Delays and faults: path /mock/DIRECTIVES or header X-Mock: DIRECTIVES, as in\n"
      "  delay=2ms   delay=bimodal:2ms:100ms:3/200   delay=lognormal:2ms:0.8   freeze=2s/1000\n"
      "  fault=reset/1000 (or hang, garbage, truncate, oversize, close)   status=429/10\n"
      "  size=64KiB   body=chunked   body=until-close   interim=1\n"
      "  queue=50us (one server, first come first served)   queue=exp:2ms   pause=1s:400ms   usl=100:0.02:0.00001\n"
      "WebSockets: what comes in goes back; with stream=100ms updates are pushed instead, N of them with count=N\n"
      "  family=binance (or bybit, okx, kraken)   feed=depth (or trade, bookTicker)   symbols=3   snapshot=N\n"
      "  subscribe=1 (after a message, which is acked; refuse=1: refused)   common=1 (the same updates for all)   "
      "size=BYTES\n"
      "  gap=50 dup=30 swap=45 reset=71 checksum=40 (each so many-th update)   stale=20ms/10   conflate=1\n"
      "  ping=20s need=30s life=1h heartbeat=1s messages=5 slow=500ms connect_rate=100, or scale=100: the family's "
      "own\n"
      "  rules, so many times as fast");
  if (const auto end = tidemark::ReadArguments(&app, {argv + 1, argv + argc})) {
    if (end->is_error) return Fail(end->text);
    std::fputs(end->text.c_str(), stdout);
    return 0;
  }
  try {
    signal(SIGPIPE, SIG_IGN);
    tidemark::RaiseDescriptorLimit();
    boost::asio::io_context io(1);
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&io](const boost::system::error_code&, int) { io.stop(); });
    const auto offset = tidemark::ParseDuration(ahead);
    if (!offset.ok()) return Fail("--clock-ahead: " + std::string(offset.status().message()));
    tidemark::MockServer server(&io, is_behind ? -*offset : *offset, arrivals);
    const auto address = tidemark::ParseListenAddress(listen);
    if (!address.ok()) return Fail("--listen: " + std::string(address.status().message()));
    const ControlAddress bound{.host = address->host, .port = server.Listen(address->host, address->port, nullptr)};
    std::printf("listening on %s\n", bound.ToString().c_str());
    boost::asio::ssl::context tls(boost::asio::ssl::context::tls_server);
    if (!tls_listen.empty()) {
      const auto tls_address = tidemark::ParseListenAddress(tls_listen);
      if (!tls_address.ok()) return Fail("--tls-listen: " + std::string(tls_address.status().message()));
      tls.use_certificate_chain_file(cert);
      tls.use_private_key_file(key, boost::asio::ssl::context::pem);
      const ControlAddress tls_bound{.host = tls_address->host,
                                     .port = server.Listen(tls_address->host, tls_address->port, &tls)};
      std::printf("listening with TLS on %s\n", tls_bound.ToString().c_str());
    }
    std::fflush(stdout);
    while (is_spinning && !io.stopped()) io.poll();
    io.run();
    return 0;
  } catch (const std::exception& error) {
    return Fail(std::string("cannot serve: ") + error.what());
  }
}

// tidemark-agent: waits for a coordinator and makes load for it.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "agent/control/agent_service.h"
#include "agent/guard/secrets.h"
#include "agent/host/machine.h"
#include "agent/host/wiping_memory.h"
#include "common/arguments.h"
#include "common/command_table.h"
#include "common/completion.h"
#include "common/control/address.h"
#include "common/control/certs.h"
#include "common/exit_code.h"
#include "common/ignored_signal.h"
#include "common/man_page.h"
#include "common/plan/yaml_message.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr int kExitCannotListen = 2;
constexpr Nanos kEndLimit = 2'500 * kMillisecond;

struct AgentOptions {
  std::string listen = "127.0.0.1:7420";
  bool is_once = false;
  bool is_insecure_control = false;
  std::string control_certs;
  std::string allow_coordinator = kCoordinatorName;
  std::string idle_timeout = "10m";
  std::vector<std::string> allow_targets;
  std::string allow_list;
};

int Fail(int code, const std::string& message) {
  std::fprintf(stderr, "tidemark-agent: %s\n", message.c_str());
  return code;
}

// Ends by signal, or with `--once` after a run or when no coordinator came in time.
int Serve(const AgentOptions& options, const ControlAddress& address, const std::optional<ControlCerts>& certs,
          TargetGuard guard, Nanos idle_timeout) {
  boost::asio::io_context control;
  boost::asio::signal_set signals(control, SIGINT, SIGTERM);
  if (!IsIgnored(SIGHUP)) signals.add(SIGHUP);  // as nohup asks for
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (!ec) control.stop();
  });
  boost::asio::steady_timer idle(control);

  AgentService::Options service_options{.guard = std::move(guard),
                                        .allowed_coordinator = certs ? options.allow_coordinator : "",
                                        .is_insecure = !certs && !IsLoopback(address.host)};
  const bool is_insecure = service_options.is_insecure;
  if (options.is_once)
    service_options.on_run_end = [&control] { boost::asio::post(control, [&control] { control.stop(); }); };
  AgentService service(std::move(service_options));

  grpc::ServerBuilder builder;
  ConfigureServer(&service, &builder);
  int port = 0;
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (certs) {
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = certs->ca;
    tls.pem_key_cert_pairs.push_back({.private_key = certs->key, .cert_chain = certs->cert});
    credentials = grpc::SslServerCredentials(tls);
  }
  builder.AddListeningPort(address.ToString(), credentials, &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Fail(kExitCannotListen,
                "cannot listen on " + address.ToString() + "; is the port in use, or the address not of this host?");
  }
  ControlAddress bound = address;
  bound.port = static_cast<std::uint16_t>(port);
  std::printf("listening on %s\n", bound.ToString().c_str());
  std::fflush(stdout);
  if (is_insecure) {
    std::fprintf(stderr,
                 "tidemark-agent: --insecure-control: anyone who reaches %s can aim this agent at loopback and private "
                 "addresses\n",
                 bound.ToString().c_str());
  }

  if (options.is_once) {
    idle.expires_after(std::chrono::nanoseconds(idle_timeout));
    idle.async_wait([&](const boost::system::error_code& ec) {
      if (ec) return;
      proto::DescribeResponse state;
      service.Describe(nullptr, nullptr, &state);
      if (!state.busy_with().empty()) return;  // the run's end will stop us
      std::fprintf(stderr, "tidemark-agent: no coordinator within %s\n", options.idle_timeout.c_str());
      control.stop();
    });
  }
  control.run();
  // Whatever it does, it ends now: what it waits for is interrupted, and what cannot be is left.
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kEndLimit));
    std::fprintf(stderr, "tidemark-agent: ended in the middle of what it did\n");
    _exit(kExitOk);
  }).detach();
  service.Shutdown();
  server->Shutdown(std::chrono::system_clock::now());
  return kExitOk;
}

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  // It will hold secrets, and has a key of its own.
  WipeOpenSslMemory();
  KeepOutOfDumps();
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // gRPC's own log is not for people; of what it refuses before a call it says nothing elsewhere.
  gpr_set_log_function([](gpr_log_func_args* args) {
    const absl::string_view text(args->message);
    if (absl::StrContains(text, "Handshake failed") || absl::StrContains(text, "handshake failed"))
      std::fprintf(stderr, "tidemark-agent: refused a connection: %.200s\n", args->message);
  });
  google::protobuf::SetLogHandler(nullptr);  // what cannot be parsed ends its call
  RaiseDescriptorLimit();

  AgentOptions options;
  CLI::App app{"Makes load for a tidemark coordinator, which finds it with 'tidemark run --agents HOST:PORT URL'.",
               "tidemark-agent"};
  app.set_version_flag("-V,--version", std::string("tidemark-agent ") + TIDEMARK_VERSION);
  app.add_option("--listen", options.listen, "HOST:PORT to listen on; port 0 takes any free one")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  app.add_flag("--once", options.is_once, "end after one run");
  app.add_option("--idle-timeout", options.idle_timeout, "with --once: end when no coordinator came for this long")
      ->capture_default_str()
      ->type_name("DURATION");
  app.add_option("--allow-target", options.allow_targets,
                 "HOST or CIDR that may be loaded, besides loopback and private ranges (repeatable)")
      ->type_name("HOST|CIDR");
  app.add_option("--allow-list", options.allow_list,
                 "YAML file of targets that may be loaded, with ceilings, and of secrets")
      ->type_name("FILE");
  app.add_option("--control-certs", options.control_certs,
                 "folder with ca.pem, cert.pem, key.pem, see 'tidemark certs'; default ~/.config/tidemark/certs, if "
                 "--listen is beyond loopback")
      ->type_name("FOLDER");
  app.add_option("--allow-coordinator", options.allow_coordinator,
                 "the name that a coordinator's certificate must have")
      ->capture_default_str()
      ->type_name("NAME");
  app.add_flag("--insecure-control", options.is_insecure_control,
               "allow --listen beyond loopback without certificates: plain text; only in a network you trust");
  app.footer(
      "Examples:\n  tidemark-agent --listen 10.0.0.5:7420\n\n"
      "The first line on stdout is 'listening on ADDRESS:PORT'.\n"
      "Exit codes: 0 ended as asked; 1 usage; 2 cannot listen; 70 internal error.");
  std::string shell;
  bool is_manual = false;
  app.add_option("--completion", shell, "what it completes in a shell")->group("");  // for packages
  app.add_flag("--manual", is_manual, "its manual page")->group("");
  const std::vector<CommandRow> table = TableOf(app);
  if (const auto end = ReadArguments(&app, {argv + 1, argv + argc})) {
    if (end->is_error) return Fail(kExitUsage, end->text);
    std::fputs(end->text.c_str(), stdout);
    return kExitOk;
  }

  if (is_manual || !shell.empty()) {
    const auto& shells = CompletionShells();
    if (!is_manual && std::find(shells.begin(), shells.end(), shell) == shells.end())
      return Fail(kExitUsage, "--completion: '" + shell + "' is no shell that is known");
    std::fputs((is_manual ? ManPage(table, 0, TIDEMARK_VERSION) : Completion(shell, table)).c_str(), stdout);
    return kExitOk;
  }

  const auto address = ParseListenAddress(options.listen);
  if (!address.ok()) return Fail(kExitUsage, "--listen: " + std::string(address.status().message()));
  const bool is_default = options.control_certs.empty();
  const std::string certs_dir = is_default ? DefaultControlCertsDir() : options.control_certs;
  std::optional<ControlCerts> certs;
  if (!is_default && options.is_insecure_control)
    return Fail(kExitUsage, "--control-certs and --insecure-control: exclude each other");
  if (!is_default || (!IsLoopback(address->host) && !options.is_insecure_control && HasControlCerts(certs_dir))) {
    auto read = ReadControlCerts(certs_dir);
    if (!read.ok()) return Fail(kExitUsage, std::string(read.status().message()));
    certs = *std::move(read);
  }
  if (!IsLoopback(address->host) && !certs && !options.is_insecure_control) {
    return Fail(kExitUsage, "--listen: " + options.listen + " is beyond loopback, and there are no certificates in '" +
                                certs_dir +
                                "'; make them with 'tidemark certs agent', or add --insecure-control if you trust "
                                "this network");
  }
  if (IsLoopback(address->host) && options.is_insecure_control) {
    return Fail(kExitUsage, "--insecure-control: has no effect on " + options.listen + "; leave it out");
  }
  const auto idle_timeout = ParseDuration(options.idle_timeout);
  if (!idle_timeout.ok()) return Fail(kExitUsage, "--idle-timeout: " + std::string(idle_timeout.status().message()));
  proto::AllowList allow_list;
  if (!options.allow_list.empty()) {
    const auto text = ReadFile(options.allow_list, kMaxYamlBytes);
    const absl::Status status =
        text.ok() ? ParseYaml(*text, options.allow_list, "allow-list", &allow_list) : text.status();
    if (!status.ok()) return Fail(kExitUsage, "--allow-list: " + std::string(status.message()));
  }
  auto guard = TargetGuard::Make(options.allow_targets, allow_list);
  if (!guard.ok()) return Fail(kExitUsage, std::string(guard.status().message()));
  return Serve(options, *address, certs, *std::move(guard), *idle_timeout);
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  try {
    return tidemark::Main(argc, argv);
  } catch (const std::exception& error) {
    return tidemark::Fail(tidemark::kExitInternal, std::string("internal error: ") + error.what());
  }
}

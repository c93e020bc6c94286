#include "tests/e2e/programs.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "tests/e2e/absence.h"
#include "tests/support/listener.h"

namespace tidemark {

std::string Join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ",") + part;
  return out;
}

std::vector<std::string> OnCore(unsigned core) {
  if (std::thread::hardware_concurrency() <= core) return {};
  return {"taskset", "-c", std::to_string(core)};
}

boost::json::value ReadReport(const std::string& path) {
  const std::string text = Slurp(path);
  ExpectNoFalseZeros(text);
  return boost::json::parse(text);
}

RunOutcome TidemarkRun(std::vector<std::string> arguments, const std::vector<std::string>& prefix,
                       const std::function<void(pid_t)>& started) {
  TempDir dir;
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "run", "--explain", "-o", "json=" + (dir / "run.json"), "-o",
                                       "csv=" + (dir / "run.csv")});
  arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
  Process process(arguments);
  if (started) started(process.pid());
  RunOutcome outcome;
  outcome.code = process.Wait();
  outcome.out = process.Out();
  outcome.err = process.Err();
  if (!std::filesystem::exists(dir / "run.json")) return outcome;
  outcome.report = ReadReport(dir / "run.json");
  ExpectCsvOf(outcome.report, Slurp(dir / "run.csv"));
  return outcome;
}

bool WasTooLate(int code, const std::string& err) {
  return code == 2 && err.find(" ms too late; ") != std::string::npos;
}

RunOutcome StarvedRun(const std::vector<std::string>& arguments, const std::vector<std::string>& prefix) {
  for (int attempt = 1;; ++attempt) {
    RunOutcome run = TidemarkRun(arguments, prefix);
    if (attempt == 5 || !WasTooLate(run.code, run.err)) return run;
  }
}

const boost::json::value& At(const boost::json::value& value, std::string_view path) {
  static const boost::json::value kMissing;
  const boost::json::value* here = &value;
  std::istringstream parts{std::string(path)};
  for (std::string part; std::getline(parts, part, '.');) {
    if (here->is_array()) {
      here = &here->as_array().at(std::stoul(part));
    } else if (here->is_object() && here->as_object().contains(part)) {
      here = &here->as_object().at(part);
    } else {
      ADD_FAILURE() << "no '" << part << "' of " << path;
      return kMissing;
    }
  }
  return *here;
}

std::int64_t Int(const boost::json::value& value, const std::string& path) {
  return At(value, path).to_number<std::int64_t>();
}

double Number(const boost::json::value& value, const std::string& path) { return At(value, path).to_number<double>(); }

std::int64_t WithWarmup(const boost::json::value& report, const std::string& path) {
  return Int(report, "total.accounting." + path) + Int(report, "total.warmup." + path);
}

Agent::Agent(std::vector<std::string> arguments, const std::string& listen, const std::vector<std::string>& prefix) {
  arguments.insert(arguments.begin(), {TIDEMARK_AGENT_BINARY, "--listen", listen});
  arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
  process_ = std::make_unique<Process>(arguments);
  address_ = process_->WaitForLine("listening on ");
}

std::vector<std::unique_ptr<Agent>> StartAgents(int count, const std::vector<std::string>& arguments) {
  std::vector<std::unique_ptr<Agent>> agents;
  for (int i = 0; i < count; ++i) agents.push_back(std::make_unique<Agent>(arguments));
  return agents;
}

std::vector<std::string> AgentsFlag(const std::vector<std::unique_ptr<Agent>>& agents) {
  std::vector<std::string> addresses;
  for (const auto& agent : agents) addresses.push_back(agent->address());
  return {"--agents", Join(addresses)};
}

std::vector<std::string> AllowFilesOf(const TempDir& dir) {
  Spill(dir / "allow.yaml", "secrets: ['file:" + (dir / "") + "']\n");
  return {"--allow-list", dir / "allow.yaml"};
}

Certificate::Certificate(const TempDir& dir, const std::string& name, const std::string& alt_names)
    : cert(dir / (name + ".pem")), key(dir / (name + ".key")) {
  const std::vector<std::string> arguments = {"openssl",
                                              "req",
                                              "-x509",
                                              "-newkey",
                                              "ec",
                                              "-pkeyopt",
                                              "ec_paramgen_curve:P-256",
                                              "-nodes",
                                              "-subj",
                                              "/CN=" + name,
                                              "-addext",
                                              "subjectAltName=" + alt_names,
                                              "-keyout",
                                              key,
                                              "-out",
                                              cert};
  EXPECT_EQ(Process(arguments).Wait(), 0);
}

void LetExpire(const std::string& certificate, const std::string& key_file) {
  BIO* in = BIO_new_file(certificate.c_str(), "r");
  X509* x509 = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  BIO_free(in);
  BIO* key_in = BIO_new_file(key_file.c_str(), "r");
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_in, nullptr, nullptr, nullptr);
  BIO_free(key_in);
  X509_gmtime_adj(X509_getm_notBefore(x509), -2 * 86'400);
  X509_gmtime_adj(X509_getm_notAfter(x509), -86'400);
  EXPECT_GT(X509_sign(x509, key, EVP_sha256()), 0);
  BIO* out = BIO_new_file(certificate.c_str(), "w");
  EXPECT_EQ(PEM_write_bio_X509(out, x509), 1);
  BIO_free(out);
  X509_free(x509);
  EVP_PKEY_free(key);
}

Mock::Mock(std::vector<std::string> prefix, const std::vector<std::string>& arguments) {
  prefix.push_back(TIDEMARK_MOCK_BINARY);
  prefix.insert(prefix.end(), arguments.begin(), arguments.end());
  process_ = std::make_unique<Process>(prefix);
  address_ = process_->WaitForLine("listening on ");
}

std::string Mock::Get(const std::string& path) const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::size_t colon = address_.find(':');
  inet_pton(AF_INET, address_.substr(0, colon).c_str(), &address.sin_addr);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address_.substr(colon + 1))));
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string text;
  char some[65536];
  for (ssize_t n = 0; (n = recv(fd, some, sizeof some, 0)) > 0;) text.append(some, static_cast<std::size_t>(n));
  close(fd);
  const std::size_t body = text.find("\r\n\r\n");
  return body == std::string::npos ? "" : text.substr(body + 4);
}

ThreeAddresses::ThreeAddresses(bool answers) : first({}, {"--listen", "127.0.1.1:0"}) {
  const std::string url = first.Url("/");
  port = url.substr(17, url.find('/', 17) - 17);
  const auto mock_at = [this](const std::string& host) {
    return std::make_unique<Mock>(std::vector<std::string>{}, std::vector<std::string>{"--listen", host + ":" + port});
  };
  second = mock_at("127.0.1.2");
  if (!answers) return;
  third = mock_at("127.0.1.3");
  third->process().Signal(SIGSTOP);
}

std::vector<std::string> ThreeAddresses::Flags() const {
  std::vector<std::string> flags;
  for (const char* address : {"127.0.1.1", "127.0.1.2", "127.0.1.3"})
    flags.insert(flags.end(), {"--resolve", "three.test:" + port + ":" + address});
  return flags;
}

void WaitForAnswers(const Mock& mock, std::int64_t count, Process* process) {
  while (Int(mock.Truth(), "answered") < count && process->IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

Nginx::Nginx(const std::string& server, const std::string& suffix, const std::string& address) {
  const auto [fd, port] = ListenOn(address, 4096, 0);
  port_ = port;
  Spill(dir_ / "nginx.conf",
        Configuration("listen " + address + ":" + std::to_string(port_) + suffix + " backlog=4096;\n" + server));
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"nginx", "-p", dir_ / "", "-c", dir_ / "nginx.conf", "-e", dir_ / "error.log"},
      std::vector<std::string>{"NGINX=9;", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, fd);
  close(fd);
  WaitUntilItAnswers();
}

void Nginx::Quit() {
  if (process_ == nullptr) return;
  process_->Signal(SIGQUIT);
  process_->Wait();
  process_.reset();
}

std::map<std::string, std::int64_t> Nginx::Quantities() {
  Quit();
  std::map<std::string, std::int64_t> counts;
  std::ifstream in(dir_ / "access.log");
  for (std::string line; std::getline(in, line);) ++counts[line.substr(0, line.find(' '))];
  return counts;
}

std::string Nginx::Configuration(const std::string& server) const {
  // Root starts its workers as another user, who must be able to write the log.
  return std::string(geteuid() == 0 ? "user root;\n" : "") +
         "daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid " + (dir_ / "pid") +
         ";\nevents { worker_connections 8192; }\nhttp {\nlog_format status '$status $server_addr $remote_port "
         "$request_time $http_traceparent';\naccess_log " +
         (dir_ / "access.log") + " status;\nclient_body_temp_path " + (dir_ / "b") + ";\nproxy_temp_path " +
         (dir_ / "p") + ";\nfastcgi_temp_path " + (dir_ / "f") + ";\nuwsgi_temp_path " + (dir_ / "u") +
         ";\nscgi_temp_path " + (dir_ / "s") + ";\nkeepalive_requests 1000000;\nserver {\n" + server + "\n}\n}\n";
}

void Nginx::WaitUntilItAnswers() {
  for (int i = 0; i < 12'000 && !std::filesystem::exists(dir_ / "pid") && process_->IsRunning(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(process_->IsRunning()) << process_->Err() << Slurp(dir_ / "error.log");
}

}  // namespace tidemark

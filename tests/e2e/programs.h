// tidemark, its agents, the mock and nginx, each on a port of its own.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"

namespace tidemark {

std::string Join(const std::vector<std::string>& parts);

// What to put in front of a command to keep it on one core; nothing on a machine with one.
std::vector<std::string> OnCore(unsigned core);

// A finished `tidemark run`.
struct RunOutcome {
  int code = 0;
  std::string out;
  std::string err;
  boost::json::value report;  // null if none was written
};

// The report at `path`, which says nothing that was not measured.
boost::json::value ReadReport(const std::string& path);

// Runs `tidemark run ARGUMENTS...` with a JSON report, and a CSV that must agree with it. `started` is told of its
// process.
RunOutcome TidemarkRun(std::vector<std::string> arguments, const std::vector<std::string>& prefix = {},
                       const std::function<void(pid_t)>& started = nullptr);
// Whether a run ended since a generator was starved so much that it could not begin in time: it says so, and there is
// no point to judge.
bool WasTooLate(int code, const std::string& err);
// ... and is tried again then, up to five times in all.
RunOutcome StarvedRun(const std::vector<std::string>& arguments, const std::vector<std::string>& prefix = {});

// The value at "a.b.0.c".
const boost::json::value& At(const boost::json::value& value, std::string_view path);
std::int64_t Int(const boost::json::value& value, const std::string& path);
double Number(const boost::json::value& value, const std::string& path);
// Of the points and the warm-up together.
std::int64_t WithWarmup(const boost::json::value& report, const std::string& path);

class Agent {
 public:
  explicit Agent(std::vector<std::string> arguments = {}, const std::string& listen = "127.0.0.1:0",
                 const std::vector<std::string>& prefix = {});
  const std::string& address() const { return address_; }
  Process& process() { return *process_; }

 private:
  std::unique_ptr<Process> process_;
  std::string address_;
};

// `arguments`: of each of them.
std::vector<std::unique_ptr<Agent>> StartAgents(int count, const std::vector<std::string>& arguments = {});

std::vector<std::string> AgentsFlag(const std::vector<std::unique_ptr<Agent>>& agents);

// What an agent needs to be given to read files of `dir`: an allow-list, written there.
std::vector<std::string> AllowFilesOf(const TempDir& dir);

// A self-signed certificate made by the openssl program.
struct Certificate {
  Certificate(const TempDir& dir, const std::string& name, const std::string& alt_names);
  std::string cert;
  std::string key;
};

// Signs the certificate in a file anew, with the key in another and a validity that ended yesterday, which the openssl
// program of 3.0 refuses to do.
void LetExpire(const std::string& certificate, const std::string& key);

// What the mock is asked with, and what it says of itself.
class Mock {
 public:
  explicit Mock(std::vector<std::string> prefix = {}, const std::vector<std::string>& arguments = {});
  std::string Url(const std::string& path = "/api/v3/ping") const { return "http://" + address_ + path; }
  Process& process() { return *process_; }

  boost::json::value Truth() const { return boost::json::parse(Get("/__truth")); }

  // The body of one of its own pages.
  std::string Get(const std::string& path) const;

 private:
  std::unique_ptr<Process> process_;
  std::string address_;
};

// Three addresses of one name; at the last of them there is nobody, or a mock that takes connections and says nothing.
struct ThreeAddresses {
  explicit ThreeAddresses(bool answers);
  // What resolves the name "three.test" to them.
  std::vector<std::string> Flags() const;

  Mock first;
  std::string port;  // of all three
  std::unique_ptr<Mock> second;
  std::unique_ptr<Mock> third;
};

// Until the target has answered so many requests, or `process` has ended.
void WaitForAnswers(const Mock& mock, std::int64_t count, Process* process);

// Debian's nginx with one worker and an unbuffered access log. It inherits a listening socket that we have bound to a
// free port, as in its own binary upgrade, so that no port is chosen twice.
class Nginx {
 public:
  // `server`: directives inside `server { }`; `suffix` follows the listen address, as " ssl". The address given is
  // bound besides when `listen` names another than loopback's first.
  explicit Nginx(const std::string& server, const std::string& suffix = "", const std::string& address = "127.0.0.1");
  ~Nginx() { Quit(); }

  int port() const { return port_; }
  const TempDir& dir() const { return dir_; }

  // Lets it finish; then the access log is complete.
  void Quit();
  // Lines of the access log per status (first column), after Quit.
  std::map<std::string, std::int64_t> Quantities();

 private:
  std::string Configuration(const std::string& server) const;
  void WaitUntilItAnswers();

  TempDir dir_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace tidemark

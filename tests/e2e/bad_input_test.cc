// Bad input: one line that names what, where and the remedy; the right exit code; nothing started.
#include <algorithm>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

struct BadCase {
  std::vector<std::string> arguments;
  int code;
  std::string message;
};

void ExpectRefusal(const BadCase& bad) {
  const RunOutcome run = TidemarkRun(bad.arguments);
  EXPECT_EQ(run.code, bad.code) << run.err;
  EXPECT_NE(run.err.find(bad.message), std::string::npos) << "expected: " << bad.message << "\ngot: " << run.err;
  const std::string lines = run.err.substr(run.err.find("tidemark: "));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << run.err;
  EXPECT_EQ(run.out, "");
  if (bad.code == 1) {  // of a target that was tried, files say what happened
    EXPECT_TRUE(run.report.is_null());
  }
}

TEST(BadInputTest, PlansAndFlagsAreRefusedBeforeAnythingStarts) {
  TempDir dir;
  Spill(dir / "typo.yaml", "target: http://127.0.0.1:1/\nsweep:\n  conections: [10]\n");
  Spill(dir / "unit.yaml", "target: http://127.0.0.1:1/\ntimeout: 30\n");
  const std::string url = "http://127.0.0.1:1/";
  const BadCase kCases[] = {
      {{dir / "typo.yaml"},
       1,
       (dir / "typo.yaml") + ":3: sweep.conections: unknown field; did you mean 'connections'?"},
      {{dir / "unit.yaml"}, 1, ":2: timeout: '30' has no unit"},
      {{"-c", "0", url}, 1, "sweep.connections: 0 is outside"},
      {{"-c", "999999999999", url}, 1, "sweep.connections: "},
      {{"-n", "0", url}, 1, "0 makes no load"},
      {{"-c", "9M", url}, 1, "raise its descriptor limit (ulimit -n) or add agents"},
      {{"--agents", "127.0.0.1:1", url}, 2, "agent 127.0.0.1:1 does not answer"},
      {{"--agents", "dns:agents.invalid", url}, 2, "agents.invalid cannot be resolved"},
      {{"--agents", "127.0.0.1:1", "--wait-agents", "1", "--wait-timeout", "300ms", url},
       2,
       "0 of 1 agents after 300ms"},
      {{"http://8.8.8.8/"}, 1, "target refused: 8.8.8.8"},
      {{"http://host.invalid/"}, 5, "host 'host.invalid' cannot be resolved"},
      {{"-c", "5", url}, 5, "connect to 127.0.0.1:1: Connection refused; is the server running"},
      {{"-o", "json=/nonexistent/x.json", url}, 1, "'/nonexistent/x.json' cannot be written"},
      {{"--source", "203.0.113.9", "-c", "1", url}, 1, "source_addresses: 203.0.113.9 is no address of this agent's"},
      {{"-6", "-c", "1", url}, 5, "host '127.0.0.1' has no IPv6 address, only 127.0.0.1:1; leave out ip_family (-6)"},
  };
  for (const BadCase& bad : kCases) ExpectRefusal(bad);
}

// Of the programs without commands; those of tidemark: CliTest.
TEST(BadInputTest, NoFlagOfAnAgentOrTheMockTakesAValueThatItHasNoUseFor) {
  const struct {
    const char* program;
    std::vector<const char*> flags;
  } kPrograms[] = {
      {TIDEMARK_AGENT_BINARY, {"--once", "--insecure-control", "--help", "--version", "-h", "-V"}},
      {TIDEMARK_MOCK_BINARY, {"--spin", "--clock-behind", "--help", "-h"}},
  };
  for (const auto& row : kPrograms) {
    for (const char* flag : row.flags) {
      Process process({row.program, std::string(flag) + "=5"});
      EXPECT_EQ(process.Wait(std::chrono::seconds(60)), 1) << flag;
      EXPECT_EQ(process.Out(), "") << flag;
      const std::string err = process.Err();
      EXPECT_NE(err.find(flag), std::string::npos) << err;
      EXPECT_NE(err.find(": takes no value; leave out '=5'\n"), std::string::npos) << flag << ": " << err;
      EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
    }
  }
}

// What is not loaded as it is written is not loaded at all, and the mock that another reading would find is not
// touched.
TEST(BadInputTest, NoOtherHostOrPortIsLoadedThanTheOneThatIsWritten) {
  Mock mock;
  TempDir dir;
  const std::string port = mock.Url("").substr(mock.Url("").rfind(':') + 1);
  Spill(dir / "clock.yaml",
        "target: ws://127.0.0.1:" + port +
            "/\nsweep: {connections: [1], duration: 1s}\nweb_socket: {listen: {time: /E, clock: {url: "
            "'http://127.1:" +
            port + "/', time: /t}}}\n");
  Spill(dir / "path.yaml",
        "target: http://127.0.0.1:" + port + "/\nrequests: [{name: a, path: /}, {name: b, path: '/a|b'}]\n");
  const BadCase kCases[] = {
      {{"http://127.1:" + port + "/"}, 1, "some programs read as 127.0.0.1; write that if it is meant"},
      {{"http://0x7f.1:" + port + "/"}, 1, "some programs read as 127.0.0.1"},
      {{"http://2130706433:" + port + "/"}, 1, "some programs read as 127.0.0.1"},
      {{"http://127.0.0.1:" + port + ";x/"}, 1, "has port '" + port + ";x'"},
      {{"http://127.0.0.1:" + port + ":80/"}, 1, "has more than one ':'"},
      {{"ws://127.0.0.1:" + port + "\\@h/"}, 1, "holds a user name"},
      {{"http://%31%32%37.0.0.1:" + port + "/"}, 1, "has '%' in its host"},
      {{"http://u:p@127.0.0.1:" + port + "/"}, 1, "'http://***@127.0.0.1:" + port + "/' holds a user name"},
      {{"http://127.0.0.1:0" + port + "/"}, 1, "write " + port + " if it is meant"},
      {{"http://127.0.0.1:" + port + "/a|b"}, 1, "has '|', which no path holds; write %7C"},
      {{dir / "path.yaml"}, 1, "requests.path: '/a|b' has '|', which no path holds; write %7C"},
      {{dir / "clock.yaml"}, 1, "web_socket.listen.clock.url: target: 'http://127.1:" + port + "/' has host '127.1'"},
      {{"--resolve", "h:" + port + ":127.1", "http://h:" + port + "/"}, 1, "has '127.1', which is no IP address"},
      {{"--resolve", "h:80:127.0.0.1", "http://h:" + port + "/"}, 1, "has no effect: the target is h:" + port},
      {{"--allow-target", "127.1", mock.Url()}, 1, "--allow-target: '127.1': is neither"},
      {{"--agents", "127.1:7420", mock.Url()}, 1, "--agents: '127.1:7420' is no agent address: it has host '127.1'"},
      {{"--agents", "127.0.0.1:0", mock.Url()}, 1, "has port '0'; write a number from 1 to 65535"},
  };
  for (const BadCase& bad : kCases) ExpectRefusal(bad);
  EXPECT_EQ(Int(mock.Truth(), "accepted"), 0);
  // The name begins like the mock's address, and the port is the mock's.
  ExpectRefusal({{"-c", "1", "-n", "1", "--resolve", "127.0.0.1.nip.test:" + port + ":127.0.0.9",
                  "http://127.0.0.1.nip.test:" + port + "/"},
                 5,
                 "connect to 127.0.0.9:" + port + ": Connection refused"});
  EXPECT_EQ(Int(mock.Truth(), "accepted"), 0);
}

TEST(BadInputTest, CertificatesThatDoNotFitAreNamed) {
  TempDir dir;
  const Certificate good(dir, "good", "IP:127.0.0.1");
  const Certificate other(dir, "other", "DNS:elsewhere.test");
  const Certificate old(dir, "old", "IP:127.0.0.1");
  LetExpire(old.cert, old.key);
  const auto refused = [](const Certificate& certificate, const std::string& authority, const std::string& message) {
    Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                    "; location / { return 200 hello; }",
                " ssl");
    const std::string url = "https://127.0.0.1:" + std::to_string(nginx.port()) + "/";
    ExpectRefusal({{"-c", "2", "-n", "2", "--cacert", authority, url}, 5, message});
    EXPECT_EQ(TidemarkRun({"-c", "2", "-n", "2", "--insecure", url}).code, 0);
  };
  refused(old, old.cert, "certificate has expired");
  refused(other, other.cert, "IP address mismatch");
  refused(good, other.cert, "certificate: self-signed certificate");
  Nginx plain("location / { return 200 hello; }");
  ExpectRefusal({{"-c", "2", "https://127.0.0.1:" + std::to_string(plain.port()) + "/"},
                 5,
                 "the target speaks plain HTTP; write http://"});
  ExpectRefusal({{"-c", "2", "--cacert", dir / "missing.pem", "https://127.0.0.1:1/"}, 1, "tls.ca_file"});
}

TEST(BadInputTest, AKeyThatNeedsAPassphraseIsNamed) {
  TempDir dir;
  const Certificate pair(dir, "cert", "IP:127.0.0.1");
  std::filesystem::copy(pair.cert, dir / "ca.pem");
  const std::string key = dir / "key.pem";
  Process encrypt({"openssl", "pkey", "-in", pair.key, "-aes128", "-passout", "pass:sesame", "-out", key});
  ASSERT_EQ(encrypt.Wait(), 0) << encrypt.Err();
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  const std::string message = "'" + key + "' is encrypted, and nobody is asked for its passphrase";
  ExpectRefusal({{"--cert", pair.cert, "--key", key, "https://127.0.0.1:1/"}, 1, "tls.key_file: " + message});
  ExpectRefusal({{"--agents", "127.0.0.1:1", "--control-certs", dir / "", "http://127.0.0.1:1/"}, 1, "is encrypted"});
  Process agent({TIDEMARK_AGENT_BINARY, "--listen", "127.0.0.1:0", "--control-certs", dir / ""});
  EXPECT_EQ(agent.Wait(), 1);
  EXPECT_NE(agent.Err().find("is encrypted, and nobody is asked"), std::string::npos) << agent.Err();
  std::filesystem::copy(key, dir / "ca.key");
  Process issue({TIDEMARK_BINARY, "certs", "agent", "--ca", dir / "", "--out", dir / "new", "127.0.0.1"});
  EXPECT_EQ(issue.Wait(), 1);
  EXPECT_NE(issue.Err().find("is encrypted, and nobody is asked"), std::string::npos) << issue.Err();
}

TEST(BadInputTest, AnAgentIsBusyWithOneRunAtATime) {
  Mock mock;
  Agent agent;
  Process first(
      {TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "2", "-d", "30s", mock.Url("/mock/delay=5ms")});
  while (Int(mock.Truth(), "parsed") == 0 && first.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ExpectRefusal({{"--agents", agent.address(), mock.Url()}, 2, "is busy with run "});
  first.Signal(SIGINT);
  EXPECT_EQ(first.Wait(), 130);
}

TEST(BadInputTest, AgentsRefuseWhatTheyCannotDo) {
  Agent agent;
  Process second({TIDEMARK_AGENT_BINARY, "--listen", agent.address()});
  EXPECT_EQ(second.Wait(), 2);
  EXPECT_NE(second.Err().find("cannot listen on " + agent.address() + "; is the port in use"), std::string::npos)
      << second.Err();

  const std::pair<std::vector<std::string>, std::string> kCases[] = {
      {{"--listen", "0.0.0.0:0"}, "add --insecure-control"},
      {{"--listen", "127.0.0.1:0", "--insecure-control"}, "has no effect"},
      {{"--listen", "127.0.0.1:99999"}, "no agent address"},
      {{"--allow-target", "http://x/"}, "--allow-target: 'http://x/'"},
      {{"--once", "--idle-timeout", "5"}, "--idle-timeout: '5' has no unit"},
      {{"--frob"}, "--frob"},
  };
  for (const auto& [arguments, message] : kCases) {
    std::vector<std::string> all = arguments;
    all.insert(all.begin(), TIDEMARK_AGENT_BINARY);
    Process process(all);
    EXPECT_EQ(process.Wait(), 1) << message;
    EXPECT_NE(process.Err().find(message), std::string::npos) << process.Err();
  }
}

TEST(BadInputTest, ADryRunStartsNothing) {
  Mock mock;
  const auto agents = StartAgents(3);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"--dry-run", "-c", "1003", "--requests-per-connection", "100", mock.Url()});
  const RunOutcome run = TidemarkRun(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("# point of 1003 connections: 335 + 334 + 334; 100300 requests; 0 for warm-up"),
            std::string::npos)
      << run.out;
  EXPECT_NE(run.out.find("connections: [1003]"), std::string::npos) << run.out;
  // What an agent's ceiling would refuse is said before.
  arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"--dry-run", "-R", "300", mock.Url()});
  const RunOutcome open_loop = TidemarkRun(arguments);
  EXPECT_NE(open_loop.out.find("needs a max_rate of 140 (its share of 100/s and four times its root)"),
            std::string::npos)
      << open_loop.out;
  arguments.insert(arguments.end(), {"--arrivals", "constant"});
  EXPECT_EQ(TidemarkRun(arguments).out.find("max_rate"), std::string::npos);
  EXPECT_EQ(Int(mock.Truth(), "accepted"), 0);
}

TEST(BadInputTest, ATargetThatDiesMidRunEndsTheRunWithItsErrorsCounted) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "-c", "10", "--requests-per-connection", "100k", "-o",
                   "json=" + (dir / "run.json"), mock.Url("/mock/delay=2ms")});
  while (Int(mock.Truth(), "answered") < 500 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  mock.process().Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 0);
  const boost::json::value report = ReadReport(dir / "run.json");
  EXPECT_EQ(Int(report, "total.total_requests"), 1'000'000);
  EXPECT_GT(Int(report, "total.accounting.never_sent_by_reason.connect_refused"), 0);
  EXPECT_TRUE(At(report, "total.accounting.identity_holds").as_bool());
}

}  // namespace
}  // namespace tidemark

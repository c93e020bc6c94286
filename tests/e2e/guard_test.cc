// Nobody aims an agent at what its operator has not named, nobody holds it, and it forgets what it was entrusted with.
#include <netinet/in.h>
#include <openssl/pem.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/e2e/memory.h"
#include "tests/e2e/programs.h"
#include "tests/support/listener.h"

namespace tidemark {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Who `tidemark agents` says holds the agent: "free", "busy", "silent", and of a busy one the run's id.
struct AgentState {
  std::string state;
  std::string run;
};
AgentState StateOf(const Agent& agent) {
  Process list({TIDEMARK_BINARY, "agents", "--agents", agent.address()});
  list.Wait();
  const std::string text = list.Out();
  AgentState found;
  for (const char* state : {"free", "busy", "silent"}) {
    if (text.find(std::string(" ") + state + " ") != std::string::npos) found.state = state;
  }
  const std::size_t at = text.find("  run ");
  if (at != std::string::npos) found.run = text.substr(at + 6, text.find(' ', at + 6) - at - 6);
  return found;
}
AgentState WaitUntilBusy(const Agent& agent) {
  AgentState found;
  for (int i = 0; i < 200 && found.run.empty(); ++i) found = StateOf(agent);
  EXPECT_NE(found.run, "");
  return found;
}

// It ends in time when it is told to, whatever it does.
void ExpectAnEnd(Agent* agent) {
  const auto start = Clock::now();
  agent->process().Signal(SIGTERM);
  EXPECT_EQ(agent->process().Wait(), 0) << agent->process().Err();
  EXPECT_LT(SecondsSince(start), 3);
}

TEST(GuardTest, FilesAtTheAgentAreThoseOfItsListAndOthersAreNotToldOf) {
  TempDir dir;
  const Certificate server(dir, "server", "IP:127.0.0.1");
  Nginx nginx(
      "ssl_certificate " + server.cert + "; ssl_certificate_key " + server.key + "; location / { return 200 ok; }",
      " ssl");
  const std::string url = "https://127.0.0.1:" + std::to_string(nginx.port()) + "/";
  std::filesystem::create_directory(dir / "open");
  std::filesystem::copy_file(server.cert, dir / "open/ca.pem");
  std::filesystem::create_symlink(server.key, dir / "open/link");
  ASSERT_EQ(mkfifo((dir / "open/fifo").c_str(), 0666), 0);
  Spill(dir / "open/large", std::string(2 << 20, 'x'));
  const Certificate client(dir, "client", "DNS:client");
  std::filesystem::copy_file(client.cert, dir / "open/client.pem");
  std::filesystem::copy_file(client.key, dir / "open/client.key");
  Spill(dir / "allow.yaml", "secrets: ['file:" + (dir / "open/") + "']\n");
  Agent closed;
  Agent agent({"--allow-list", dir / "allow.yaml"});
  // Each flag that names a file; the others name good ones.
  std::map<std::string, std::string> good = {
      {"--cacert", dir / "open/ca.pem"}, {"--cert", dir / "open/client.pem"}, {"--key", dir / "open/client.key"}};
  const auto run = [&](const Agent& at, const std::string& flag, const std::string& file) {
    std::vector<std::string> command = {"--agents", at.address(), "-c", "1", "-n", "5"};
    for (const auto& [name, its_own] : good) {
      const bool is_needed = flag != "--cacert" || name == "--cacert";
      if (is_needed) command.insert(command.end(), {name, name == flag ? file : its_own});
    }
    command.push_back(url);
    return TidemarkRun(command);
  };
  for (const auto& [flag, field] :
       {std::pair("--cacert", "tls.ca_file"), {"--cert", "tls.cert_file"}, {"--key", "tls.key_file"}}) {
    EXPECT_EQ(run(agent, flag, good[flag]).code, 0) << flag;
    // Refused in the same words, but for the name, whether there is such a file or not.
    std::set<std::string> answers;
    for (const std::string& file : {server.cert, dir / "none.pem", std::string("/etc/shadow"), std::string("/dev/zero"),
                                    dir / "open/link", dir / "open/../none", dir / "open/../server.pem"}) {
      const RunOutcome outcome = run(agent, flag, file);
      EXPECT_EQ(outcome.code, 1) << file << outcome.err;
      const std::size_t begin = outcome.err.find(std::string(field) + " refused: ");
      const std::size_t name = outcome.err.find(file);
      ASSERT_TRUE(begin != std::string::npos && name != std::string::npos) << file << ": " << outcome.err;
      answers.insert(outcome.err.substr(begin, name - begin) + outcome.err.substr(name + file.size()));
    }
    EXPECT_EQ(answers.size(), 1u) << *answers.begin() << *answers.rbegin();
    EXPECT_EQ(run(closed, flag, good[flag]).code, 1) << flag;
    // What nobody writes to is not waited for.
    const auto start = Clock::now();
    EXPECT_NE(run(agent, flag, dir / "open/fifo").err.find("is no regular file"), std::string::npos) << flag;
    EXPECT_NE(run(agent, flag, dir / "open/large").err.find("is larger than 1024 KiB"), std::string::npos) << flag;
    EXPECT_LT(SecondsSince(start), 5);
  }
  // A process of the user's own may read what the user may.
  EXPECT_EQ(TidemarkRun({"-c", "1", "-n", "5", "--cacert", server.cert, url}).code, 0);
}

TEST(GuardTest, AUnixSocketIsATargetOnlyIfTheListNamesIt) {
  TempDir dir;
  Nginx nginx("location / { return 200 ok; } listen unix:" + (dir / "web.sock") +
              "; listen unix:" + (dir / "own.sock") + ";");
  std::filesystem::create_symlink(dir / "own.sock", dir / "alias.sock");
  Spill(dir / "allow.yaml",
        "only_these: true\ntargets: [{unix: " + (dir / "web.sock") + ", max_connections: 2, max_rate: 100}]\n");
  Agent plain;
  Agent agent({"--allow-list", dir / "allow.yaml"});
  const auto run = [&](const Agent& at, const std::string& socket, const std::string& count) {
    return TidemarkRun({"--agents", at.address(), "-c", count, "-R", "50", "-d", "1s", "unix:" + socket + ":/"});
  };
  EXPECT_NE(run(plain, dir / "web.sock", "1").err.find("a Unix socket needs an entry unix: /PATH"), std::string::npos);
  for (const char* name : {"own.sock", "alias.sock", "none.sock"})
    EXPECT_NE(run(agent, dir / name, "1").err.find("is not named by the agent's --allow-list"), std::string::npos)
        << name;
  EXPECT_NE(run(agent, dir / "web.sock", "3").err.find("caps it at 2"), std::string::npos);
  const RunOutcome allowed = run(agent, dir / "web.sock", "2");
  EXPECT_EQ(allowed.code, 0) << allowed.err;
  EXPECT_GT(WithWarmup(allowed.report, "sent"), 0);
  EXPECT_EQ(nginx.Quantities()["200"], WithWarmup(allowed.report, "sent"));
}

// A server that takes connections, and says nothing.
struct SilentServer {
  Listener listener = ListenOn("127.0.0.1", 64);
  ~SilentServer() { close(listener.fd); }
  std::string Plan(const std::string& timeout) const {
    const std::string host = "127.0.0.1:" + std::to_string(listener.port);
    return "target: ws://" + host + "/\nsweep: { connections: [1], duration: 1s }\nconnect_timeout: " + timeout +
           "\nweb_socket:\n  listen:\n    time: /E\n    clock: { url: 'http://" + host + "/time', time: /t }\n";
  }
};

TEST(GuardTest, AClockThatIsSilentHoldsAnAgentNoLongerThanATimeOutAndStopEndsIt) {
  const SilentServer server;
  TempDir dir;
  Spill(dir / "short.yaml", server.Plan("1s"));
  Spill(dir / "long.yaml", server.Plan("60s"));
  Agent agent;
  const auto start = Clock::now();
  const RunOutcome run = TidemarkRun({dir / "short.yaml", "--agents", agent.address()});
  EXPECT_NE(run.code, 0);
  EXPECT_NE(run.err.find("web_socket.listen.clock"), std::string::npos) << run.err;
  EXPECT_LT(SecondsSince(start), 6);
  EXPECT_EQ(StateOf(agent).state, "free");

  // Its lease is kept while it waits.
  Spill(dir / "beyond_the_lease.yaml", server.Plan("5s"));
  const RunOutcome late = TidemarkRun({dir / "beyond_the_lease.yaml", "--agents", agent.address()});
  EXPECT_NE(late.err.find("web_socket.listen.clock"), std::string::npos) << late.err;

  Process held({TIDEMARK_BINARY, "run", dir / "long.yaml", "--agents", agent.address()});
  const AgentState busy = WaitUntilBusy(agent);
  EXPECT_EQ(busy.state, "busy");
  Process stop({TIDEMARK_BINARY, "stop", busy.run, "--agents", agent.address()});
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
  EXPECT_NE(stop.Out().find("stopped, and free"), std::string::npos) << stop.Out();
  EXPECT_EQ(StateOf(agent).state, "free");
  EXPECT_NE(held.Wait(), 0);

  Process again({TIDEMARK_BINARY, "run", dir / "long.yaml", "--agents", agent.address()});
  WaitUntilBusy(agent);
  ExpectAnEnd(&agent);
}

// The lease holds while a run is opened: a coordinator that is gone leaves the agent free.
TEST(GuardTest, ACoordinatorThatDiesWhileItsRunIsOpenedLeavesTheAgentFree) {
  const SilentServer server;
  TempDir dir;
  Spill(dir / "long.yaml", server.Plan("60s"));
  Agent agent;
  Process run({TIDEMARK_BINARY, "run", dir / "long.yaml", "--agents", agent.address()});
  WaitUntilBusy(agent);
  run.Signal(SIGSTOP);  // it neither speaks nor closes
  const auto start = Clock::now();
  while (StateOf(agent).state != "free" && SecondsSince(start) < 20)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(SecondsSince(start), 8);
  run.Signal(SIGKILL);
}

// A name server that never answers, which the agent alone asks.
TEST(GuardTest, AResolverThatDoesNotAnswerHoldsNobody) {
  if (!Succeeds("unshare --mount true")) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  inet_pton(AF_INET, "127.77.0.53", &address.sin_addr);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  TempDir dir;
  Spill(dir / "resolv.conf", "nameserver 127.77.0.53\noptions timeout:30 attempts:5\n");
  Agent agent({}, "127.0.0.1:0",
              {"unshare", "-m", "sh", "-c",
               "mount --bind " + (dir / "resolv.conf") + " /etc/resolv.conf && exec \"$@\"", "sh"});
  Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "1", "-n", "1", "http://slow.example.test/"});
  const AgentState busy = WaitUntilBusy(agent);
  Process stop({TIDEMARK_BINARY, "stop", busy.run, "--agents", agent.address()});
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
  EXPECT_EQ(StateOf(agent).state, "free");
  run.Wait();
  // The next honest run works, while the question is still open.
  Mock mock;
  EXPECT_EQ(TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "10", mock.Url()}).code, 0);
  Process again(
      {TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "1", "-n", "1", "http://slow.example.test/"});
  WaitUntilBusy(agent);
  ExpectAnEnd(&agent);
  close(fd);
}

TEST(GuardTest, AnAgentUnderLoadEndsInTime) {
  Mock mock;
  Agent agent;
  Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "50", "-d", "60s", mock.Url()});
  WaitForAnswers(mock, 1'000, &run);
  ExpectAnEnd(&agent);
}

// Of a process the thread that uses most of a core.
pid_t BusiestThread(pid_t process) {
  const auto spent = [process] {
    std::map<pid_t, std::int64_t> by_thread;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task"))
      std::istringstream(Slurp(entry.path() / "schedstat")) >> by_thread[std::stoi(entry.path().filename())];
    return by_thread;
  };
  std::map<pid_t, std::int64_t> before = spent();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::pair<std::int64_t, pid_t> busiest{-1, 0};
  for (const auto& [thread, time] : spent()) busiest = std::max(busiest, {time - before[thread], thread});
  return busiest.second;
}

// A worker that stands still, while the rest of its agent answers: the run ends, by itself and on Ctrl-C.
TEST(GuardTest, AWorkerThatStandsStillHoldsNoRun) {
  Mock mock;
  for (const bool is_interrupted : {true, false}) {
    Agent agent;
    Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "4", "--threads", "2", "-d",
                 is_interrupted ? "60s" : "2s", "--warmup", "0", mock.Url()});
    WaitForAnswers(mock, Int(mock.Truth(), "answered") + 1'000, &run);
    const pid_t worker = BusiestThread(agent.process().pid());
    if (ptrace(PTRACE_SEIZE, worker, nullptr, nullptr) != 0) GTEST_SKIP() << "needs CAP_SYS_PTRACE";
    ASSERT_EQ(ptrace(PTRACE_INTERRUPT, worker, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(worker, nullptr, __WALL), worker);
    const auto start = Clock::now();
    if (is_interrupted) run.Signal(SIGINT);
    EXPECT_EQ(run.Wait(std::chrono::seconds(30)), 3) << run.Err();
    EXPECT_LT(SecondsSince(start), is_interrupted ? 10 : 20);
    EXPECT_NE(run.Err().find(is_interrupted ? "did not end the point within 4s of being told to stop"
                                            : "did a worker of it stand still?"),
              std::string::npos)
        << run.Err();
    ptrace(PTRACE_DETACH, worker, nullptr, nullptr);
    const auto woken = Clock::now();
    while (StateOf(agent).state != "free" && SecondsSince(woken) < 10)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(StateOf(agent).state, "free");
  }
}

// What is in flight is answered, and the coordinator hears why, and of all that was sent.
TEST(GuardTest, AnAgentThatIsToldToEndSendsNothingMoreAndTellsAll) {
  Mock mock;
  for (const std::vector<std::string>& end : {std::vector<std::string>{"-d", "60s"}, {"-n", "100000"}}) {
    TempDir dir;
    Agent agent;
    const std::int64_t before = Int(mock.Truth(), "parsed");
    std::vector<std::string> command = {TIDEMARK_BINARY,
                                        "run",
                                        "--agents",
                                        agent.address(),
                                        "--warmup",
                                        "0",
                                        "-o",
                                        "json=" + (dir / "run.json"),
                                        "--journal",
                                        dir / "run.journal",
                                        "-c",
                                        "20",
                                        mock.Url("/mock/delay=300ms")};
    command.insert(command.end(), end.begin(), end.end());
    Process run(command);
    WaitForAnswers(mock, before + 40, &run);
    ExpectAnEnd(&agent);
    EXPECT_EQ(run.Wait(), 3) << run.Err();
    EXPECT_NE(run.Err().find("the agent was told to end"), std::string::npos) << run.Err();
    EXPECT_NE(run.Err().find("ended it early, after "), std::string::npos) << run.Err();
    const boost::json::value report = ReadReport(dir / "run.json");
    // Some 40 of 100,000 requests, or a second or two of 60.
    const double coverage = At(report, "points.0.coverage_percent").to_number<double>();
    EXPECT_GT(coverage, 0);
    EXPECT_LT(coverage, 20);
    EXPECT_NE(run.Out().find("Coverage : "), std::string::npos) << run.Out();
    // The journal tells the same.
    Process again(
        {TIDEMARK_BINARY, "report", "--from-journal", dir / "run.journal", "-o", "json=" + (dir / "again.json")});
    EXPECT_EQ(again.Wait(), 3) << again.Err();
    const boost::json::value journaled = ReadReport(dir / "again.json");
    EXPECT_EQ(At(journaled, "points.0.status").as_string(), "PARTIAL");
    EXPECT_EQ(At(journaled, "points.0.coverage_percent").to_number<double>(), coverage);
    const std::int64_t parsed = Int(mock.Truth(), "parsed") - before;
    EXPECT_EQ(At(report, "points.0.status").as_string(), "PARTIAL");
    EXPECT_EQ(Int(report, "points.0.accounting.sent"), parsed);
    EXPECT_EQ(Int(report, "points.0.accounting.success"), parsed) << "what was in flight had time to be answered";
    EXPECT_EQ(Int(report, "points.0.unaccounted_requests_max"), 0);
  }
}

// Neither a target nor a coordinator that stands still makes it wait.
TEST(GuardTest, AnAgentEndsInTimeWhoeverStandsStill) {
  Mock mock;
  {
    Agent agent;
    Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "20", "-d", "60s", mock.Url()});
    WaitForAnswers(mock, 1'000, &run);
    mock.process().Signal(SIGSTOP);
    ExpectAnEnd(&agent);
    mock.process().Signal(SIGCONT);
    EXPECT_NE(run.Wait(), 0);
  }
  {
    Agent agent;
    Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "20", "-d", "60s", mock.Url()});
    WaitForAnswers(mock, Int(mock.Truth(), "answered") + 1'000, &run);
    run.Signal(SIGSTOP);
    ExpectAnEnd(&agent);
    run.Signal(SIGCONT);
    EXPECT_NE(run.Wait(), 0);
  }
  // While connections are opened that nobody takes.
  const Listener full = ListenOn("127.0.0.1", 0);
  Agent agent;
  Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "20", "-d", "60s", "--connect-timeout", "60s",
               "http://127.0.0.1:" + std::to_string(full.port) + "/"});
  WaitUntilBusy(agent);
  ExpectAnEnd(&agent);
  EXPECT_NE(run.Wait(), 0);
  close(full.fd);
}

TEST(GuardTest, ABodyOfReferencesIsReadInProportion) {
  Mock mock;
  TempDir dir;
  std::string body;
  while (body.size() < (15 << 20)) body += "{env:TIDEMARK_TEST_KEY} {slot} ";
  Spill(dir / "body", body);
  Spill(dir / "allow.yaml", "secrets: ['env:TIDEMARK_TEST_KEY']\n");
  Agent agent({"--allow-list", dir / "allow.yaml"}, "127.0.0.1:0", {"env", "TIDEMARK_TEST_KEY=sesame"});
  const auto start = Clock::now();
  const RunOutcome run = TidemarkRun(
      {"--agents", agent.address(), "-c", "1", "-n", "1", "--warmup", "0", "--data", "@" + (dir / "body"), mock.Url()});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_LT(SecondsSince(start), 30);  // was over 40 s for the references alone
}

// The private number of a key, as it stands in its file and in the library's arithmetic.
std::vector<std::string> NumbersOf(const std::string& key_file) {
  BIO* const in = BIO_new_file(key_file.c_str(), "r");
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
  BIGNUM* number = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key, "priv", &number), 1);
  std::string big(32, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(big.data()), 32);
  BN_clear_free(number);
  EVP_PKEY_free(key);
  BIO_free(in);
  return {big, {big.rbegin(), big.rend()}};
}

TEST(GuardTest, AFreeAgentHoldsNothingOfWhatItWasEntrustedWith) {
  if (geteuid() != 0) GTEST_SKIP() << "an agent's memory is closed to all but root";
  TempDir dir;
  const Certificate server(dir, "server", "IP:127.0.0.1");
  const Certificate client(dir, "client", "DNS:client");
  Nginx nginx("ssl_certificate " + server.cert + "; ssl_certificate_key " + server.key + "; ssl_client_certificate " +
                  client.cert + "; ssl_verify_client on; location / { return 401 \"no $http_x_key\"; }",
              " ssl");
  // Put together here, so that the values stand in no file of ours: longer and shorter than a string holds in itself.
  const std::map<std::string, std::string> secrets = {{"header", std::string("sesame") + "-7f3a91c4d2-header"},
                                                      {"short", std::string("opn") + "-81c2"},
                                                      {"body", std::string("body") + "-5b8a0d77e1"},
                                                      {"path", std::string("path") + "-c2d9f3a6b4"},
                                                      {"basic", std::string("ann:pw") + "-90bd3e"}};
  std::string list;
  for (const auto& [name, value] : secrets) {
    Spill(dir / name, value + "\n");
    list += "'file:" + (dir / name) + "', ";
  }
  Spill(dir / "allow.yaml", "secrets: [" + list + "'file:" + (dir / "") + "']\n");
  Agent agent({"--allow-list", dir / "allow.yaml"});
  const auto reference = [&](const std::string& name) { return "{file:" + (dir / name) + "}"; };
  std::vector<std::string> needles = NumbersOf(client.key);
  for (const auto& [name, value] : secrets) needles.push_back(value);
  std::string where;
  const auto held = [&] {
    std::string found;
    for (std::size_t i = 0; i < needles.size(); ++i) {
      if (HasInMemory(agent.process().pid(), needles[i], &where)) found += std::to_string(i) + " ";
    }
    return found;
  };
  EXPECT_EQ(held(), "");
  Process run({TIDEMARK_BINARY,
               "run",
               "--agents",
               agent.address(),
               "-c",
               "3",
               "-d",
               "60s",
               "--cacert",
               server.cert,
               "--cert",
               client.cert,
               "--key",
               client.key,
               "-H",
               "X-Key: " + reference("header"),
               "-H",
               "X-Short: " + reference("short"),
               "-H",
               "Authorization: Basic " + reference("basic"),
               "--data",
               "a=" + reference("body"),
               "https://127.0.0.1:" + std::to_string(nginx.port()) + "/p?k=" + reference("path")});
  WaitUntilBusy(agent);
  // The search finds them all while they are needed; of a number one way of writing will do.
  std::string during;
  const auto are_all_held = [&] {
    during = held();
    for (const char* index : {"2 ", "3 ", "4 ", "5 ", "6 "}) {
      if (during.find(index) == std::string::npos) return false;
    }
    return during.find("0 ") != std::string::npos || during.find("1 ") != std::string::npos;
  };
  const auto start = Clock::now();
  while (!are_all_held() && SecondsSince(start) < 30) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(are_all_held()) << during;
  run.Signal(SIGINT);
  run.Wait();
  for (int i = 0; i < 100 && StateOf(agent).state != "free"; ++i) {
  }
  EXPECT_EQ(held(), "") << where;
}

TEST(GuardTest, AnAgentLeavesNoCoreFromTheStart) {
  Agent agent;
  rlimit limit{};
  prlimit(agent.process().pid(), RLIMIT_CORE, nullptr, &limit);
  EXPECT_EQ(limit.rlim_max, 0u);
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  prlimit(agent.process().pid(), RLIMIT_CORE, &unlimited, nullptr);
  agent.process().Signal(SIGABRT);
  EXPECT_FALSE(agent.process().DumpedCore());
}

}  // namespace
}  // namespace tidemark

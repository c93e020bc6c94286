// The live view on real terminals: tmux, which knows what a screen shows, and bare pseudo terminals, whose bytes are
// kept or which nobody reads.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>

#include <algorithm>
#include <functional>
#include <regex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr std::chrono::seconds kLimit(60);

// Whether it comes true within a minute.
bool Eventually(const std::function<bool()>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string Quoted(const std::string& text) { return absl::StrCat("'", text, "'"); }

// A shell script that keeps what `stty -a` says before and after a run, its process, exit code and report, and then
// leaves the screen as it is.
class Session {
 public:
  // `prefix`: words of the shell before the program.
  explicit Session(const std::vector<std::string>& arguments, const std::string& prefix = "",
                   const std::string& after = "") {
    std::string command = absl::StrCat(prefix, " ", TIDEMARK_BINARY, " run -o json=", Report());
    for (const std::string& argument : arguments) absl::StrAppend(&command, " ", Quoted(argument));
    Spill(Path(), absl::StrCat("trap : INT\nunset CI NO_COLOR\nexport LC_ALL=C.UTF-8\nulimit -c 0\nstty -a > ",
                               dir_ / "before", "\nsh -c 'echo $$ > ", dir_ / "pid", "; exec \"$@\"' sh env ", command,
                               "\n", after, "echo $? > ", dir_ / "code", "\nstty -a > ", dir_ / "after",
                               "\necho code=$(cat ", dir_ / "code", ")\nexec sleep 600\n"));
  }
  std::string Path() const { return dir_ / "script"; }
  std::string Report() const { return dir_ / "run.json"; }
  std::string File(const std::string& name) const { return Slurp(dir_ / name); }
  // What `stty -a` said, but for the size.
  std::string Modes(const std::string& name) const {
    return std::regex_replace(File(name), std::regex("rows [0-9]+; columns [0-9]+;"), "");
  }

  pid_t Pid() const {
    EXPECT_TRUE(Eventually([this] { return absl::EndsWith(File("pid"), "\n"); }));
    return static_cast<pid_t>(std::stoi(File("pid")));
  }
  bool IsOver() const { return absl::EndsWith(File("after"), "\n"); }
  int WaitForCode() const {
    EXPECT_TRUE(Eventually([this] { return IsOver(); }));
    const std::string code = File("code");
    return code.empty() ? -1 : std::stoi(code);
  }

 private:
  TempDir dir_;
};

// A script in a window of its own server.
class Tmux {
 public:
  Tmux(const Session& session, int columns, int rows, const std::string& shell = "sh") {
    EXPECT_TRUE(Does({"-u", "new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(rows),
                      absl::StrCat(shell, " ", session.Path())}));
  }
  ~Tmux() { Does({"kill-server"}); }

  std::string Screen() const { return Ask({"capture-pane", "-p"}); }
  // With what has scrolled away.
  std::string All() const { return Ask({"capture-pane", "-p", "-J", "-S", "-"}); }
  // "1": the alternate screen is shown; the cursor is.
  std::string Is(const std::string& format) const {
    std::string answer = Ask({"display-message", "-p", absl::StrCat("#{", format, "}")});
    answer.erase(answer.find_last_not_of('\n') + 1);
    return answer;
  }
  void Type(const std::string& keys) const { Does({"send-keys", keys}); }
  void Resize(int columns, int rows) const {
    Does({"resize-window", "-x", std::to_string(columns), "-y", std::to_string(rows)});
  }
  bool Shows(const std::string& text) const {
    return Eventually([&] { return absl::StrContains(Screen(), text); });
  }

 private:
  std::vector<std::string> Command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"tmux", "-u", "-f", "/dev/null", "-S", dir_ / "socket"});
    return arguments;
  }
  bool Does(std::vector<std::string> arguments) const {
    return Process(Command(std::move(arguments)), {"TMUX="}).Wait() == 0;
  }
  std::string Ask(std::vector<std::string> arguments) const {
    Process process(Command(std::move(arguments)), {"TMUX="});
    process.Wait();
    return process.Out();
  }

  TempDir dir_;
};

// A script on a terminal of ours.
class Pty {
 public:
  explicit Pty(const Session& session, unsigned short columns = 80, unsigned short rows = 24) {
    winsize size = {.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    const std::string path = session.Path();
    pid_ = forkpty(&master_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      setenv("TERM", "xterm-256color", 1);
      execlp("sh", "sh", path.c_str(), nullptr);
      _exit(127);
    }
    EXPECT_GT(pid_, 0);
  }
  ~Pty() {
    Close();
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void Close() {
    if (master_ >= 0) close(master_);
    master_ = -1;
  }
  // What it has been written so far.
  const std::string& Bytes() {
    pollfd wanted = {.fd = master_, .events = POLLIN, .revents = 0};
    char buffer[4096];
    while (poll(&wanted, 1, 0) > 0) {
      const ssize_t got = read(master_, buffer, sizeof buffer);
      if (got <= 0) break;
      bytes_.append(buffer, static_cast<std::size_t>(got));
    }
    return bytes_;
  }
  bool Says(const std::string& text) {
    return Eventually([&] { return absl::StrContains(Bytes(), text); });
  }
  int WaitForCode(const Session& session) {
    EXPECT_TRUE(Eventually([&] { return Bytes().size() + 1 > 0 && session.IsOver(); }));
    Bytes();
    return session.WaitForCode();
  }

 private:
  int master_ = -1;
  pid_t pid_ = -1;
  std::string bytes_;
};

constexpr char kEntered[] = "\x1b[?1049h";
constexpr char kLeft[] = "\x1b[?1049l";
constexpr char kCursorOff[] = "\x1b[?25l";
constexpr char kCursorOn[] = "\x1b[?25h";

void ExpectAsBefore(const Session& session, const std::string& bytes) {
  EXPECT_THAT(session.File("before"), HasSubstr(" icanon "));
  EXPECT_EQ(session.Modes("before"), session.Modes("after"));
  ASSERT_NE(bytes.find(kEntered), std::string::npos);
  ASSERT_NE(bytes.find(kLeft), std::string::npos);
  EXPECT_GT(bytes.rfind(kLeft), bytes.rfind(kEntered));
  EXPECT_GT(bytes.rfind(kCursorOn), bytes.rfind(kCursorOff));
  EXPECT_GT(bytes.rfind("\x1b[?7h"), bytes.rfind("\x1b[?7l"));
  EXPECT_EQ(bytes.find("\x1b[?2026h", bytes.rfind(kLeft)), std::string::npos) << "a frame on the normal screen";
}

// Empty if `screen` is one frame, each of its lines once and nothing beside them.
std::string WhatIsWrong(const std::string& screen) {
  std::vector<std::string> missing = {"tidemark ", "closed loop", "      conns", ">",          " req/s",
                                      " p99",      " errors",     " agents",     " generator", " q ends"};
  const std::vector<std::string> optional = {" p50"};
  for (const absl::string_view line : absl::StrSplit(screen, '\n', absl::SkipEmpty())) {
    const auto starts = [line](const std::string& prefix) { return absl::StartsWith(line, prefix); };
    if (std::any_of(optional.begin(), optional.end(), starts)) continue;
    const auto found = std::find_if(missing.begin(), missing.end(), starts);
    if (found == missing.end()) return absl::StrCat("not of the frame, or twice: ", line);
    missing.erase(found);
  }
  return missing.empty() ? "" : absl::StrCat("missing: ", missing.front());
}

TEST(TerminalTest, ScreensOfAnySizeHaveOneFrameAndThenTheTable) {
  const std::pair<int, int> kSizes[] = {{80, 24}, {60, 14}, {200, 50}};
  for (const auto& [columns, rows] : kSizes) {
    Mock mock;
    Session session({"-c", "2,3", "-d", "4s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
    Tmux tmux(session, columns, rows);
    std::string wrong;
    std::string screen;
    EXPECT_TRUE(Eventually([&] {
      screen = tmux.Screen();
      wrong = WhatIsWrong(screen);
      return wrong.empty();
    })) << wrong
        << "\n"
        << screen;
    EXPECT_EQ(tmux.Is("alternate_on"), "1");
    EXPECT_EQ(tmux.Is("cursor_flag"), "0");
    EXPECT_EQ(session.WaitForCode(), 0);
    EXPECT_TRUE(tmux.Shows("code=0")) << tmux.Screen();
    EXPECT_EQ(tmux.Is("alternate_on"), "0");
    EXPECT_EQ(tmux.Is("cursor_flag"), "1");
    EXPECT_EQ(session.Modes("before"), session.Modes("after"));
    EXPECT_EQ(At(ReadReport(session.Report()), "status").as_string(), "COMPLETE");
  }
}

TEST(TerminalTest, ResizingLeavesNoGhostAndWrapsNoLine) {
  Mock mock;
  Session session({"-c", "2,3", "-d", "100s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  Tmux tmux(session, 80, 24);
  const std::pair<int, int> kSizes[] = {{60, 14}, {200, 50}, {61, 30},  {120, 15}, {80, 24},
                                        {79, 23}, {60, 14},  {132, 43}, {70, 18},  {80, 24}};
  for (const auto& [columns, rows] : kSizes) {
    tmux.Resize(columns, rows);
    std::string wrong;
    std::string screen;
    // The last column of the title tells that the frame was made for this size.
    EXPECT_TRUE(Eventually([&] {
      screen = tmux.Screen();
      wrong = WhatIsWrong(screen);
      return wrong.empty() && tmux.Is("alternate_on") == "1";
    })) << columns
        << "x" << rows << ": " << wrong << "\n"
        << screen;
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    screen = tmux.Screen();
    EXPECT_EQ(WhatIsWrong(screen), "") << columns << "x" << rows << "\n" << screen;
  }
  tmux.Type("hello");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(tmux.Screen(), Not(HasSubstr("hello")));
  kill(session.Pid(), SIGTERM);
  EXPECT_EQ(session.WaitForCode(), 130);
  EXPECT_TRUE(tmux.Shows("code=130"));
  EXPECT_THAT(tmux.All(), HasSubstr("tidemark: stopping: ")) << "what was said meanwhile";
  EXPECT_THAT(tmux.All(), HasSubstr("verdict")) << "the table";
  EXPECT_EQ(tmux.Is("alternate_on"), "0");
  EXPECT_EQ(tmux.Is("cursor_flag"), "1");
  EXPECT_EQ(session.Modes("before"), session.Modes("after"));
}

TEST(TerminalTest, CtrlCEndsARunInOrderAndAgainAtOnce) {
  for (const bool is_twice : {false, true}) {
    Mock mock;
    Session session({"-c", "2", "-d", "100s", "--timeout", "50s", "--warmup", "0",
                     mock.Url(is_twice ? "/mock/fault=hang" : "/mock/delay=20ms")});
    Tmux tmux(session, 80, 24);
    ASSERT_TRUE(tmux.Shows("s/1:40")) << tmux.Screen();
    tmux.Type("C-c");
    if (is_twice) {
      EXPECT_TRUE(tmux.Shows("! stopping: ")) << tmux.Screen();
      tmux.Type("C-c");
    }
    EXPECT_EQ(session.WaitForCode(), 130);
    EXPECT_TRUE(tmux.Shows("code=130"));
    EXPECT_EQ(tmux.Is("alternate_on"), "0");
    EXPECT_EQ(tmux.Is("cursor_flag"), "1");
    EXPECT_EQ(session.Modes("before"), session.Modes("after"));
    EXPECT_EQ(std::filesystem::exists(session.Report()), !is_twice);
    EXPECT_THAT(tmux.All(), HasSubstr("tidemark: stopping: "));
  }
}

TEST(TerminalTest, QEndsARunAfterItsPoint) {
  Mock mock;
  Session session({"-c", "2,3", "-d", "5s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  Tmux tmux(session, 80, 24);
  ASSERT_TRUE(tmux.Shows("q ends after this point")) << tmux.Screen();
  tmux.Type("q");
  EXPECT_TRUE(tmux.Shows(" ends after this point; Ctrl-C ends now")) << tmux.Screen();
  EXPECT_EQ(session.WaitForCode(), 130);
  EXPECT_TRUE(tmux.Shows("ended after point 1 of 2, as asked: what follows was not run")) << tmux.Screen();
  const boost::json::value report = ReadReport(session.Report());
  EXPECT_EQ(At(report, "points").as_array().size(), 1u);
  EXPECT_EQ(At(report, "status").as_string(), "COMPLETE");
  EXPECT_GE(Number(report, "points.0.duration_s"), 4.9);
}

// The shell gets its screen, and fg brings the view back.
TEST(TerminalTest, CtrlZGivesTheTerminalBackUntilFg) {
  Mock mock;
  TempDir dir;
  Session session({"-c", "2", "-d", "100s", "--warmup", "0", mock.Url("/mock/delay=20ms")}, "",
                  absl::StrCat("stty -a > ", dir / "stopped", "\necho at the shell\nread line\nfg\n"));
  const std::string script = Slurp(session.Path());
  Spill(session.Path(), "set -m\n" + script);
  Tmux tmux(session, 80, 24, "bash");
  ASSERT_TRUE(tmux.Shows("s/1:40")) << tmux.Screen();
  tmux.Type("C-z");
  ASSERT_TRUE(tmux.Shows("at the shell")) << tmux.Screen();
  EXPECT_EQ(tmux.Is("alternate_on"), "0");
  EXPECT_EQ(tmux.Is("cursor_flag"), "1");
  EXPECT_EQ(session.File("before"), Slurp(dir / "stopped"));
  tmux.Type("Enter");
  EXPECT_TRUE(tmux.Shows("s/1:40")) << tmux.Screen();
  EXPECT_EQ(tmux.Is("alternate_on"), "1");
  kill(session.Pid(), SIGTERM);
  session.WaitForCode();
  EXPECT_TRUE(tmux.Shows("code=")) << tmux.Screen();
  EXPECT_EQ(tmux.Is("alternate_on"), "0");
  EXPECT_EQ(tmux.Is("cursor_flag"), "1");
  EXPECT_EQ(session.Modes("before"), session.Modes("after"));
}

TEST(TerminalTest, WhateverEndsTheProcessGivesTheTerminalBack) {
  const std::pair<int, int> kCases[] = {
      {SIGTERM, 130},           {SIGINT, 130},           {SIGHUP, 130}, {SIGABRT, 128 + SIGABRT},
      {SIGSEGV, 128 + SIGSEGV}, {SIGQUIT, 128 + SIGQUIT}};
  for (const auto& [signal, code] : kCases) {
    Mock mock;
    Session session({"-c", "2", "-d", "100s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
    Pty pty(session);
    ASSERT_TRUE(pty.Says("s/1:40")) << signal;
    kill(session.Pid(), signal);
    EXPECT_EQ(pty.WaitForCode(session), code) << signal;
    SCOPED_TRACE(signal);
    ExpectAsBefore(session, pty.Bytes());
  }
}

TEST(TerminalTest, ARunWhoseTerminalIsClosedEndsInOrder) {
  Mock mock;
  Session session({"-c", "2", "-d", "100s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  Pty pty(session);
  ASSERT_TRUE(pty.Says("s/1:40"));
  const pid_t pid = session.Pid();
  pty.Close();
  const std::string stat = absl::StrCat("/proc/", pid, "/stat");  // who has taken it over may not wait for it
  EXPECT_TRUE(Eventually([&stat] { return Slurp(stat).empty() || absl::StrContains(Slurp(stat), ") Z "); }));
  EXPECT_EQ(At(ReadReport(session.Report()), "status").as_string(), "INTERRUPTED");
}

// Neither the run nor its result waits for whoever does not read.
TEST(TerminalTest, ATerminalThatNobodyReadsHoldsUpNothing) {
  Mock mock;
  Agent agent;
  Session session({"--agents", agent.address(), "-c", "2", "-d", "6s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  Pty pty(session, 200, 50);  // its frames fill it in a second or two
  EXPECT_EQ(session.WaitForCode(), 0);
  const boost::json::value report = ReadReport(session.Report());
  EXPECT_EQ(At(report, "status").as_string(), "COMPLETE");
  EXPECT_FALSE(report.as_object().contains("abandoned_points"));
  EXPECT_LT(Number(report, "points.0.duration_s"), 7);
  EXPECT_THAT(pty.Bytes(), HasSubstr("verdict")) << "the table was not dropped";
  ExpectAsBefore(session, "\x1b[?1049h\x1b[?25l\x1b[?7l" + pty.Bytes());
}

TEST(TerminalTest, AStoppedTmuxHoldsUpNoRun) {
  Mock mock;
  Agent agent;
  Session session({"--agents", agent.address(), "-c", "2", "-d", "9s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  Tmux tmux(session, 80, 24);
  ASSERT_TRUE(tmux.Shows("s/9s")) << tmux.Screen();
  const auto server = static_cast<pid_t>(std::stoi(tmux.Is("pid")));
  kill(server, SIGSTOP);
  EXPECT_EQ(session.WaitForCode(), 0);
  kill(server, SIGCONT);
  EXPECT_EQ(At(ReadReport(session.Report()), "status").as_string(), "COMPLETE");
  EXPECT_TRUE(tmux.Shows("code=0")) << tmux.Screen();
  EXPECT_EQ(tmux.Is("alternate_on"), "0");
  EXPECT_EQ(tmux.Is("cursor_flag"), "1");
}

TEST(TerminalTest, ColourIsLeftOutWhereItIsNotWanted) {
  const std::regex kSgr("\x1b\\[[0-9;]*m");
  struct Case {
    const char* what;
    const char* variable;
    std::vector<std::string> flags;
    bool has_color;
  };
  const Case kCases[] = {{"by default", "", {}, true},
                         {"NO_COLOR", "NO_COLOR=1", {}, false},
                         {"an empty one says nothing", "NO_COLOR=", {}, true},
                         {"the flag", "", {"--no-color"}, false}};
  for (const Case& c : kCases) {
    Mock mock;
    std::vector<std::string> arguments = {"-c", "2", "-d", "1s", "--warmup", "0", mock.Url("/mock/delay=20ms")};
    arguments.insert(arguments.end(), c.flags.begin(), c.flags.end());
    Session session(arguments, c.variable);
    Pty pty(session);
    EXPECT_EQ(pty.WaitForCode(session), 0) << c.what;
    EXPECT_EQ(std::regex_search(pty.Bytes(), kSgr), c.has_color) << c.what;
    EXPECT_THAT(pty.Bytes(), HasSubstr(kEntered)) << c.what;
  }
}

TEST(TerminalTest, WithoutUtf8TheViewIsAscii) {
  Mock mock;
  Session session({"-c", "2", "-d", "2s", "--warmup", "0", mock.Url("/mock/delay=20ms")}, "LC_ALL=C");
  Pty pty(session);
  EXPECT_EQ(pty.WaitForCode(session), 0);
  const std::string& bytes = pty.Bytes();
  EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  EXPECT_THAT(bytes, HasSubstr("[#"));
}

TEST(TerminalTest, WhereThereIsNoRoomOrNobodyLooksItIsLeftOut) {
  struct Case {
    const char* what;
    unsigned short columns;
    const char* variable;
    std::vector<std::string> flags;
    bool is_live;
    const char* said;  // empty: nothing
  };
  const Case kCases[] = {{"too narrow", 59, "", {}, false, "\r\x1b[K[1/1] 2 connections: "},
                         {"CI", 80, "CI=true", {}, false, "[1/1] 2 connections, 1s\r\n"},
                         {"CI, but it is wanted", 80, "CI=true", {"--progress", "live"}, true, ""},
                         {"a dumb terminal", 80, "TERM=dumb", {}, false, "[1/1] 2 connections, 1s\r\n"},
                         {"quiet", 80, "", {"-q"}, false, ""},
                         {"none", 80, "", {"--progress", "none"}, false, ""},
                         {"plain", 80, "", {"--progress", "plain"}, false, "[1/1] 2 connections, 1s\r\n"},
                         {"a line", 80, "", {"--progress", "line"}, false, "\r\x1b[K[1/1] 2 connections: "}};
  for (const Case& c : kCases) {
    Mock mock;
    std::vector<std::string> arguments = {"-c", "2", "-d", "1s", "--warmup", "0", mock.Url("/mock/delay=20ms")};
    arguments.insert(arguments.end(), c.flags.begin(), c.flags.end());
    Session session(arguments, c.variable);
    Pty pty(session, c.columns);
    EXPECT_EQ(pty.WaitForCode(session), 0) << c.what;
    EXPECT_EQ(absl::StrContains(pty.Bytes(), kEntered), c.is_live) << c.what;
    EXPECT_THAT(pty.Bytes(), HasSubstr(c.said)) << c.what;
    EXPECT_EQ(absl::StrContains(pty.Bytes(), "[1/1]"), *c.said != '\0') << c.what;
  }
}

TEST(TerminalTest, WhatIsPipedIsLinesThatStay) {
  Mock mock;
  Process process({TIDEMARK_BINARY, "run", "-c", "2,3", "-d", "1s", "--warmup", "0", mock.Url("/mock/delay=20ms")});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_THAT(process.Err(), MatchesRegex("\\[1/2\\] 2 connections, 1s\n\\[1/2\\] 2 connections: 2 up, [^\n]*\n"
                                          "\\[2/2\\] 3 connections, 1s\n\\[2/2\\] 3 connections: 3 up, [^\n]*\n"));
  for (const std::string& text : {process.Out(), process.Err()}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\r")));
  }
  Process refused({TIDEMARK_BINARY, "run", "--progress", "live", mock.Url()});
  EXPECT_EQ(refused.Wait(), 1);
  EXPECT_THAT(refused.Err(), HasSubstr("--progress: live needs a terminal"));
}

}  // namespace
}  // namespace tidemark

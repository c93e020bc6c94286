// Each command and each plan that the help, README and docs/ show is tried.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <regex>
#include <sstream>
#include <utility>

#include "tests/e2e/programs.h"
#include "tests/support/side_by_side.h"

namespace tidemark {
namespace {

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool Begins(const std::string& text, const std::string& part) { return text.rfind(part, 0) == 0; }

std::string Replaced(const std::string& text, const std::string& pattern, const std::string& with) {
  return std::regex_replace(text, std::regex(pattern), with);
}

// What a page shows.
struct Page {
  std::string name;
  std::vector<std::string> commands = {};  // without their comments
  std::vector<std::string> yaml = {};      // blocks of it
};

Page PageOf(const std::filesystem::path& path) {
  Page page{.name = path.lexically_relative(TIDEMARK_SOURCE_DIR).string()};
  std::istringstream lines(Slurp(path.string()));
  std::string block;
  for (std::string line; std::getline(lines, line);) {
    if (Begins(line, "```")) {
      block = block.empty() ? line : "";
      if (block == "```yaml") page.yaml.emplace_back();
    } else if (block == "```sh" && line.find_first_not_of(' ') != std::string::npos && line[0] != '#') {
      page.commands.push_back(Replaced(line.substr(0, line.find(" #")), " +$", ""));
    } else if (block == "```yaml") {
      page.yaml.back() += line + "\n";
    }
  }
  return page;
}

// In the help what an example does stands behind two blanks or more.
std::string WithoutRemark(const std::string& example) {
  std::smatch match;
  return std::regex_search(example, match, std::regex("  +[a-zA-Z0-9]")) ? match.prefix().str() : example;
}

Page HelpOf(const std::string& command) {
  Process help({TIDEMARK_BINARY, command, "--help"});
  EXPECT_EQ(help.Wait(), 0);
  Page page{.name = "tidemark " + command + " --help"};
  std::istringstream lines(help.Out());
  bool is_example = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Examples:") is_example = true;
    if (line.empty()) is_example = false;
    if (is_example && (Begins(line, "  tidemark") || Begins(line, "  . ")))
      page.commands.push_back(WithoutRemark(line.substr(2)));
  }
  return page;
}

// All of them. The pages of docs/reference have no commands of their own.
std::vector<Page> Pages() {
  std::vector<Page> pages;
  for (const char* command :
       {"run", "search", "compare", "report", "agents", "stop", "certs", "reference", "completion"})
    pages.push_back(HelpOf(command));
  const std::filesystem::path root(TIDEMARK_SOURCE_DIR);
  pages.push_back(PageOf(root / "README.md"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(PageOf(entry.path()));
  }
  return pages;
}

// The targets of all pages.
struct Targets {
  Nginx nginx{"location / { return 200 ok; }"};
  Mock mock;
  std::string http = "127.0.0.1:" + std::to_string(nginx.port());
  std::string web_socket = mock.Url("").substr(7);
};

// Where the commands of one page are run, in their order: in a folder with the files that pages speak of, as a user
// with nothing in his home. What 127.0.0.1:8080 serves is ours, --agents are two of ours, and a minute is a second.
class Desk {
 public:
  Desk(const Page& page, const Targets& targets) : targets_(targets) {
    for (const char* folder : {"bin", "examples", ".zfunc", ".config/fish/completions"})
      std::filesystem::create_directories(dir_ / folder);
    std::filesystem::create_symlink(TIDEMARK_BINARY, dir_ / "bin/tidemark");
    Spill(dir_ / "plan.yaml", "target: http://" + targets.http + "/\nsweep: {connections: [2], requests: 10}\n");
    Spill(dir_ / "order.json", "{\"side\": \"BUY\"}\n");
    for (const std::string& yaml : page.yaml) {
      if (Begins(yaml, "targets:")) Spill(dir_ / "allow.yaml", yaml);
    }
    for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_SOURCE_DIR "/examples")) {
      std::string plan = Replaced(Slurp(entry.path().string()), "127\\.0\\.0\\.1:8080", targets.web_socket);
      plan = Replaced(plan, "storm: \\{at: 30s(.*)delay: 10s", "storm: {at: 300ms$1delay: 300ms");
      Spill(dir_ / ("examples/" + entry.path().filename().string()), plan);
    }
  }

  void Try(const std::string& command);
  void TryPlan(const std::string& yaml);
  int sent() const { return sent_; }  // commands that had a target answer

 private:
  // The exit code of a line in bash.
  int Run(const std::string& line);
  void TryLoad(std::string command);
  void TryServer(const std::string& command, const char* binary);
  void TryStop(const std::string& command);
  // "--agents ADDRESS,ADDRESS" of agents that run from then on.
  std::string Agents();
  // What compare and report need: once.
  void MakeResults();

  const Targets& targets_;
  TempDir dir_;
  std::string err_;
  std::vector<std::unique_ptr<Agent>> agents_;
  bool has_results_ = false;
  int sent_ = 0;
};

int Desk::Run(const std::string& line) {
  Process process({"bash", "-c",
                   "unset XDG_CONFIG_HOME XDG_STATE_HOME; export HOME=" + (dir_ / "") + " PATH=" + (dir_ / "bin") +
                       ":$PATH; cd && { " + line + "\n} </dev/null"});
  const int code = process.Wait();
  err_ = process.Err();
  return code;
}

std::string Desk::Agents() {
  if (agents_.empty()) agents_ = StartAgents(2);
  return "--agents " + agents_[0]->address() + "," + agents_[1]->address();
}

void Desk::MakeResults() {
  if (std::exchange(has_results_, true)) return;
  for (const char* name : {"run", "before", "after", "before-1", "before-2", "after-1", "after-2"}) {
    const std::string file = std::string(name) + ".json";
    EXPECT_EQ(Run("tidemark run -q plan.yaml -o " + file), 0) << err_;
    // What cannot be believed is not compared, and how fast this machine is now is not asked here.
    EXPECT_EQ(Run("sed -i -E 's/GENERATOR_LIMITED|NOT_STEADY/VALID/' " + file), 0) << err_;
  }
  EXPECT_EQ(Run("tidemark run -q plan.yaml --journal run.journal"), 0) << err_;
}

// Those that name what is here send, for a second; those that name what is not show what they would do.
void Desk::TryLoad(std::string command) {
  command = Replaced(command, " URL\\b", " http://127.0.0.1:8080/");
  const bool is_mocks = Has(command, "ws://") || Has(command, "/mock/");
  const std::string here = is_mocks ? targets_.web_socket : targets_.http;
  command = Replaced(command, "(127\\.0\\.0\\.1|localhost):8080", "$1" + here.substr(here.rfind(':')));
  if (Has(command, " --agents ")) command = Replaced(command, " --agents [^ ]+", " " + Agents());
  command = Replaced(command, " --wait-agents [^ ]+", " --wait-agents 2");
  command = Replaced(command, " -d [0-9]+[smh]", " -d 1s");
  std::smatch match;
  const std::string example =
      std::regex_search(command, match, std::regex("examples/[a-z-]+\\.yaml")) ? Slurp(dir_ / match.str()) : "";
  const bool is_search = Begins(command, "tidemark search");
  // Of a few requests a minute none may fall due within a second.
  const bool is_seldom = std::regex_search(command, std::regex(" -R [^ ]*/[mh]"));
  const bool has_plan = Has(command, " plan.yaml");
  const bool is_here = Has(command, here.substr(here.rfind(':'))) || has_plan ||
                       (Has(example, targets_.web_socket) && !Has(example, "stages"));
  const bool is_sent = is_here && !is_seldom && !Has(command, "--dry-run");
  std::string more;
  if (is_search) {
    if (!is_sent) return;  // a search that sends nothing says nothing
    command = Replaced(command, " --(from|to) [^ ]+", "");
    more = " --from 10 --to 10";
  }
  if (!is_sent) {
    more += Has(command, "--dry-run") ? "" : " --dry-run";
  } else if (is_search || !example.empty()) {
    more += Has(command, " -d ") ? "" : " -d 1s";
  } else if (!has_plan) {
    more += Has(command, " -c ") ? "" : " -c 2";  // the default sweep is run elsewhere
    more += std::regex_search(command, std::regex(" -[dn] ")) ? "" : " -n 10";
  }
  sent_ += is_sent ? 1 : 0;
  const std::size_t verb = command.find(' ', 9);
  command.insert(verb, more);
  const int code = Run(command);
  // How fast this machine is now is not asked here.
  const bool may_miss = Has(command, "--expect") && code == 99;
  const bool may_be_limited = (is_search || Has(command, "--strict")) && code == 4;
  EXPECT_TRUE(code == 0 || may_miss || may_be_limited) << code << " of " << command << "\n" << err_;
}

void Desk::TryServer(const std::string& command, const char* binary) {
  const std::string here = Replaced(command, "--listen [^ ]+", "--listen 127.0.0.1:0");
  Process server({"bash", "-c", "cd " + (dir_ / "") + " && exec " + binary + here.substr(here.find(' '))});
  EXPECT_NE(server.WaitForLine("listening on "), "") << server.Err();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.Err();
}

// Of a run that is under way.
void Desk::TryStop(const std::string& command) {
  Process run({"bash", "-c", "exec " TIDEMARK_BINARY " run -q -c 2 -d 1m http://" + targets_.http + "/ " + Agents()});
  std::string id;
  while (id.empty() && run.IsRunning()) {
    Process list({"bash", "-c", "exec " TIDEMARK_BINARY " agents " + Agents()});
    EXPECT_EQ(list.Wait(), 0) << list.Err();
    const std::string text = list.Out();
    if (const std::size_t at = text.find("  run "); at != std::string::npos)
      id = text.substr(at + 6, text.find(' ', at + 6) - at - 6);
  }
  std::string here = Replaced(command, "^tidemark stop [^ ]+", "tidemark stop " + id);
  here = Replaced(here, "--agents [^ ]+", Agents());
  EXPECT_EQ(Run(here), 0) << here << "\n" << err_;
  EXPECT_EQ(run.Wait(), 3) << run.Err();
}

void Desk::Try(const std::string& command) {
  SCOPED_TRACE(command);
  if (Begins(command, "tidemark run ") || Begins(command, "tidemark search ")) return TryLoad(command);
  if (Begins(command, "tidemark-agent ")) return TryServer(command, TIDEMARK_AGENT_BINARY);
  if (Begins(command, "tidemark-mock ")) return TryServer(command, TIDEMARK_MOCK_BINARY);
  if (Begins(command, "tidemark stop ")) return TryStop(command);
  if (Begins(command, "tidemark selftest")) return;  // SelftestTest
  if (Begins(command, "tidemark ") || Begins(command, ". <(tidemark ")) {
    std::string here = command;
    if (Begins(command, "tidemark agents ")) here = Replaced(command, "--agents [^ ]+", Agents());
    if (Begins(command, "tidemark compare ") || Begins(command, "tidemark report ")) MakeResults();
    if (Has(command, " svg=") && Run("command -v node") != 0) return;  // it says so, and that is tested elsewhere
    here = Replaced(here, "--from-journal [^ ]+", "--from-journal run.journal");
    here = Replaced(here, "\\| man -l -", ">/dev/null");
    const int code = Run(here);
    EXPECT_TRUE(code == 0 || (code == 99 && Begins(command, "tidemark compare "))) << code << " of " << here << err_;
    return;
  }
  // What builds, and what needs a cluster, is run by .ci/run and scripts/test-k8s: here the files must be there.
  std::smatch match;
  if (Begins(command, "scripts/") || Begins(command, "podman ") || Begins(command, "kubectl ")) {
    for (std::string rest = command; std::regex_search(rest, match, std::regex("(scripts|k8s)/[A-Za-z0-9/-]+"));
         rest = match.suffix())
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(TIDEMARK_SOURCE_DIR) / match.str())) << match.str();
    return;
  }
  ADD_FAILURE() << "no line here says how this is tried";
}

void Desk::TryPlan(const std::string& yaml) {
  if (!Has(yaml, "target: ")) return;  // an allow-list, which a command of its page needs
  Spill(dir_ / "shown.yaml", yaml);
  EXPECT_EQ(Run("tidemark run shown.yaml --dry-run"), 0) << yaml << err_;
}

TEST(ExamplesTest, EachCommandOfTheHelpReadmeAndDocsRuns) {
  const std::vector<Page> pages = Pages();
  const Targets targets;
  std::atomic<int> commands{0};
  std::atomic<int> sent{0};
  SideBySide(static_cast<int>(pages.size()), 6, [&](int i) {
    const Page& page = pages[static_cast<std::size_t>(i)];
    SCOPED_TRACE(page.name);
    if (page.commands.empty() && page.yaml.empty()) return;
    Desk desk(page, targets);
    for (const std::string& command : page.commands) desk.Try(command);
    for (const std::string& yaml : page.yaml) desk.TryPlan(yaml);
    commands += static_cast<int>(page.commands.size());
    sent += desk.sent();
  });
  EXPECT_GE(commands, 90);
  EXPECT_GE(sent, 45);
}

}  // namespace
}  // namespace tidemark

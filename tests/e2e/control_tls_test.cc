// The control channel with certificates: who may command an agent, and whom a coordinator believes.
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// `tidemark certs ARGUMENTS...`; its exit code.
int Certs(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "certs"});
  Process process(arguments);
  return process.Wait();
}

// An authority, an agent's certificate for 127.0.0.1 and a coordinator's.
struct Authority {
  Authority() {
    EXPECT_EQ(Certs({"init", "--ca", ca}), 0);
    EXPECT_EQ(Certs({"agent", "127.0.0.1", "--ca", ca, "--out", agent}), 0);
    EXPECT_EQ(Certs({"coordinator", "--ca", ca, "--out", coordinator}), 0);
  }
  TempDir dir;
  std::string ca = dir / "ca";
  std::string agent = dir / "agent";
  std::string coordinator = dir / "coordinator";
};

RunOutcome RunWith(const Agent& agent, const std::string& certs, const std::string& url) {
  std::vector<std::string> arguments = {"--agents", agent.address(), "-c", "2", "-n", "20", url};
  if (!certs.empty()) arguments.insert(arguments.end(), {"--control-certs", certs});
  return TidemarkRun(arguments);
}

// The run was refused in one line, and nothing reached the target.
void ExpectRefused(const RunOutcome& run, const Mock& mock) {
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_NE(run.err.find("do both ends use certificates of one authority"), std::string::npos) << run.err;
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 0);
}

TEST(ControlTlsTest, BothEndsOfOneAuthorityRun) {
  const Authority authority;
  Mock mock;
  const Agent agent({"--control-certs", authority.agent});
  const RunOutcome run = RunWith(agent, authority.coordinator, mock.Url());
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 20);
  EXPECT_FALSE(At(run.report, "agents.0.is_insecure_control").as_bool());
}

TEST(ControlTlsTest, WithoutACertificateNobodyIsObeyed) {
  const Authority authority;
  Mock mock;
  Agent agent({"--control-certs", authority.agent});
  ExpectRefused(RunWith(agent, "", mock.Url()), mock);
  EXPECT_NE(agent.process().Err().find("refused a connection"), std::string::npos) << agent.process().Err();
}

TEST(ControlTlsTest, APlainAgentIsNotBelieved) {
  const Authority authority;
  Mock mock;
  const Agent agent;
  ExpectRefused(RunWith(agent, authority.coordinator, mock.Url()), mock);
}

TEST(ControlTlsTest, AnotherAuthorityIsNotBelievedByEitherEnd) {
  const Authority authority;
  const Authority other;
  Mock mock;
  Agent agent({"--control-certs", authority.agent});
  ExpectRefused(RunWith(agent, other.coordinator, mock.Url()), mock);
  // The coordinator believes the agent, but the agent does not believe it.
  std::filesystem::copy_file(authority.coordinator + "/ca.pem", other.coordinator + "/ca.pem",
                             std::filesystem::copy_options::overwrite_existing);
  ExpectRefused(RunWith(agent, other.coordinator, mock.Url()), mock);
  EXPECT_NE(agent.process().Err().find("refused a connection"), std::string::npos) << agent.process().Err();
}

TEST(ControlTlsTest, AnAgentsCertificateDoesNotCommand) {
  const Authority authority;
  Mock mock;
  Agent agent({"--control-certs", authority.agent});
  const RunOutcome run = RunWith(agent, authority.agent, mock.Url());
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_NE(run.err.find("names 127.0.0.1, the agent obeys coordinator"), std::string::npos) << run.err;
  EXPECT_NE(agent.process().Err().find("its certificate names 127.0.0.1"), std::string::npos) << agent.process().Err();
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 0);
}

TEST(ControlTlsTest, AnAgentMustShowTheNameThatWasDialled) {
  const Authority authority;
  const std::string elsewhere = authority.dir / "elsewhere";
  ASSERT_EQ(Certs({"agent", "10.9.8.7", "other.test", "--ca", authority.ca, "--out", elsewhere}), 0);
  Mock mock;
  const Agent agent({"--control-certs", elsewhere});
  ExpectRefused(RunWith(agent, authority.coordinator, mock.Url()), mock);
}

TEST(ControlTlsTest, WhatHasExpiredIsRefused) {
  for (const bool is_agents : {true, false}) {
    const Authority authority;
    LetExpire((is_agents ? authority.agent : authority.coordinator) + "/cert.pem", authority.ca + "/ca.key");
    Mock mock;
    const Agent agent({"--control-certs", authority.agent});
    ExpectRefused(RunWith(agent, authority.coordinator, mock.Url()), mock);
  }
}

TEST(ControlTlsTest, FilesThatAreMissingOrOpenToOthersAreNamed) {
  const Authority authority;
  const std::vector<std::string> run = {TIDEMARK_BINARY,  "run", "--agents", "127.0.0.1:1", "http://127.0.0.1/",
                                        "--control-certs"};
  const auto expect_line = [](std::vector<std::string> arguments, const std::string& last, const std::string& part) {
    if (!last.empty()) arguments.push_back(last);
    Process process(arguments);
    EXPECT_EQ(process.Wait(), 1);
    const std::string err = process.Err();
    EXPECT_NE(err.find(part), std::string::npos) << err;
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
  };
  expect_line(run, "/nowhere", "/nowhere/ca.pem' cannot be read");
  chmod((authority.coordinator + "/key.pem").c_str(), 0644);
  expect_line(run, authority.coordinator, "is open to others");
  expect_line({TIDEMARK_AGENT_BINARY, "--listen", "127.0.0.1:0", "--control-certs"}, "/nowhere", "cannot be read");
  expect_line({TIDEMARK_BINARY, "certs", "init", "--ca", authority.ca}, "", "move the old one away first");
  expect_line({TIDEMARK_BINARY, "certs", "agent", "a b", "--ca", authority.ca, "--out", authority.dir / "x"}, "",
              "neither a host name nor an address: it has a space in its host");
  expect_line({TIDEMARK_BINARY, "certs", "agent", "127.1", "--ca", authority.ca, "--out", authority.dir / "x"}, "",
              "some programs read as 127.0.0.1");
  expect_line({TIDEMARK_BINARY, "certs", "agent", "a", "--ca", "/nowhere", "--out", authority.dir / "x"}, "",
              "tidemark certs init");
}

TEST(ControlTlsTest, BeyondLoopbackCertificatesAreTheDefault) {
  TempDir home;
  Process process({TIDEMARK_BINARY, "run", "--agents", "192.0.2.7", "http://127.0.0.1/"},
                  {"XDG_CONFIG_HOME=" + (home / "config")});
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_NE(process.Err().find("192.0.2.7:7420 is beyond loopback, and there are no certificates"), std::string::npos)
      << process.Err();
}

}  // namespace
}  // namespace tidemark

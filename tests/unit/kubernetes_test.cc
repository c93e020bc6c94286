// What k8s/ says, read as a cluster would: that its parts find each other, and what its agents may load.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "agent/guard/target_guard.h"
#include "agent/net/resolver.h"
#include "common/plan/yaml_message.h"
#include "coordinator/cli/plan_file.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

std::vector<YAML::Node> Read(const std::string& folder) {
  std::vector<YAML::Node> found;
  for (const auto& file : std::filesystem::directory_iterator(std::string(TIDEMARK_SOURCE_DIR) + "/k8s/" + folder)) {
    if (file.path().extension() != ".yaml" || file.path().stem() == "kustomization") continue;
    for (const YAML::Node& node : YAML::LoadAllFromFile(file.path())) found.push_back(node);
  }
  return found;
}
std::vector<YAML::Node> OfKind(const std::string& folder, const std::string& kind) {
  std::vector<YAML::Node> found;
  for (const YAML::Node& node : Read(folder)) {
    if (node["kind"].as<std::string>() == kind) found.push_back(node);
  }
  return found;
}
std::string NameOf(const YAML::Node& node) { return node["metadata"]["name"].as<std::string>(); }
YAML::Node Named(const std::string& folder, const std::string& kind, const std::string& name) {
  for (const YAML::Node& node : OfKind(folder, kind)) {
    if (NameOf(node) == name) return node;
  }
  ADD_FAILURE() << "no " << kind << " " << name;
  return YAML::Node();
}
YAML::Node PodOf(const std::string& job) { return Named("base", "Job", job)["spec"]["template"]; }

bool Selects(const YAML::Node& labels, const YAML::Node& pod) {
  for (const auto& label : labels) {
    const YAML::Node has = pod["metadata"]["labels"][label.first.as<std::string>()];
    if (!has || has.as<std::string>() != label.second.as<std::string>()) return false;
  }
  return labels.size() > 0;
}

SocketAddress Ipv4(const char* text, std::uint16_t port) {
  SocketAddress address = *ParseAddress("test", text);
  address.set_port(port);
  return address;
}

TEST(KubernetesTest, AgentsMayLoadTheTargetAndNoOtherPrivateAddress) {
  const auto plan =
      ParsePlan(Named("base", "ConfigMap", "tidemark-plan")["data"]["plan.yaml"].as<std::string>(), "plan");
  ASSERT_OK(plan);
  proto::AllowList list;
  ASSERT_OK(ParseYaml(Named("base", "ConfigMap", "tidemark-allow")["data"]["allow.yaml"].as<std::string>(),
                      "allow.yaml", "allow-list", &list));
  const auto guard = TargetGuard::Make({}, list);
  ASSERT_OK(guard);
  ASSERT_EQ(plan->target(), "http://target/");
  EXPECT_OK(guard->Check("target", Ipv4("10.96.14.3", 80), false));
  EXPECT_FALSE(guard->Check("target", Ipv4("10.96.14.3", 22), false).ok());
  EXPECT_FALSE(guard->Check("kubernetes.default.svc", Ipv4("10.96.0.1", 443), false).ok());
  EXPECT_FALSE(guard->Check("10.0.0.5", Ipv4("10.0.0.5", 10'250), false).ok()) << "a kubelet";
  EXPECT_FALSE(guard->Check("127.0.0.1", Ipv4("127.0.0.1", 80), false).ok());
  EXPECT_FALSE(guard->Check("target", Ipv4("10.96.0.1", 80), true).ok()) << "an address of the coordinator's choice";
}

TEST(KubernetesTest, EveryJobEndsAndIsClearedAwayAndTheReportIsNot) {
  for (const YAML::Node& job : OfKind("base", "Job")) {
    EXPECT_GT(job["spec"]["activeDeadlineSeconds"].as<int>(), 0) << NameOf(job);
    EXPECT_GT(job["spec"]["ttlSecondsAfterFinished"].as<int>(), 0) << NameOf(job);
  }
  EXPECT_EQ(OfKind("base", "Job").size(), 2u);
  EXPECT_EQ(OfKind("base", "PersistentVolumeClaim").size(), 0u) << "deleted with the Jobs";
  EXPECT_EQ(OfKind("report", "PersistentVolumeClaim").size(), 1u);
}

TEST(KubernetesTest, WhatNamesAnotherPartFindsIt) {
  for (const char* job : {"tidemark-agents", "tidemark-coordinator"}) {
    const YAML::Node pod = PodOf(job);
    std::set<std::string> volumes;
    for (const YAML::Node& volume : pod["spec"]["volumes"]) {
      volumes.insert(volume["name"].as<std::string>());
      if (volume["configMap"]) Named("base", "ConfigMap", volume["configMap"]["name"].as<std::string>());
      if (volume["persistentVolumeClaim"])
        Named("report", "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"].as<std::string>());
    }
    for (const YAML::Node& mount : pod["spec"]["containers"][0]["volumeMounts"])
      EXPECT_EQ(volumes.count(mount["name"].as<std::string>()), 1u) << mount["name"];
  }
  const YAML::Node agent = PodOf("tidemark-agents");
  const YAML::Node coordinator = PodOf("tidemark-coordinator");
  const YAML::Node container = agent["spec"]["containers"][0];
  const std::string port = container["ports"][0]["name"].as<std::string>();
  EXPECT_EQ(container["readinessProbe"]["tcpSocket"]["port"].as<std::string>(), port);
  for (const YAML::Node& spread : agent["spec"]["topologySpreadConstraints"])
    EXPECT_TRUE(Selects(spread["labelSelector"]["matchLabels"], agent));
  EXPECT_EQ(agent["spec"]["topologySpreadConstraints"].size(), 1u);
  std::set<std::string> arguments;
  for (const YAML::Node& argument : container["command"]) arguments.insert(argument.as<std::string>());
  EXPECT_EQ(arguments.count("--allow-list=/allow/allow.yaml"), 1u);
  EXPECT_EQ(arguments.count("--listen=0.0.0.0:" + container["ports"][0]["containerPort"].as<std::string>()), 1u);

  const YAML::Node service = Named("base", "Service", "tidemark-agents");
  EXPECT_TRUE(Selects(service["spec"]["selector"], agent));
  EXPECT_FALSE(Selects(service["spec"]["selector"], coordinator));
  std::set<std::string> asked;
  for (const YAML::Node& argument : coordinator["spec"]["containers"][0]["args"])
    asked.insert(argument.as<std::string>());
  EXPECT_EQ(asked.count("--agents=dns:tidemark-agents:" + service["spec"]["ports"][0]["port"].as<std::string>()), 1u);
  EXPECT_EQ(
      asked.count("--wait-agents=" + Named("base", "Job", "tidemark-agents")["spec"]["completions"].as<std::string>()),
      1u);
}

// Of each pod: the coordinator alone may speak to an agent, and an agent to the target and to name servers.
TEST(KubernetesTest, NetworkPoliciesLetThroughWhatARunNeeds) {
  const YAML::Node agent = PodOf("tidemark-agents");
  const YAML::Node coordinator = PodOf("tidemark-coordinator");
  const auto plan =
      ParsePlan(Named("base", "ConfigMap", "tidemark-plan")["data"]["plan.yaml"].as<std::string>(), "plan");
  ASSERT_OK(plan);
  std::multiset<std::string> reached;
  for (const YAML::Node& policy : OfKind("base", "NetworkPolicy")) {
    const YAML::Node selector = policy["spec"]["podSelector"]["matchLabels"];
    const bool is_agents = Selects(selector, agent);
    EXPECT_NE(is_agents, Selects(selector, coordinator)) << NameOf(policy);
    for (const YAML::Node& rule : policy["spec"]["ingress"]) {
      ASSERT_TRUE(is_agents);
      ASSERT_EQ(rule["from"].size(), 1u);
      EXPECT_TRUE(Selects(rule["from"][0]["podSelector"]["matchLabels"], coordinator));
      EXPECT_EQ(rule["ports"][0]["port"].as<std::string>(), "control");
      reached.insert("agent <- coordinator");
    }
    for (const YAML::Node& rule : policy["spec"]["egress"]) {
      ASSERT_EQ(rule["to"].size(), 1u);
      const YAML::Node to = rule["to"][0]["podSelector"]["matchLabels"];
      const std::string from = is_agents ? "agent -> " : "coordinator -> ";
      const std::string port = rule["ports"][0]["port"].as<std::string>();
      if (to["k8s-app"]) {
        reached.insert(from + "names " + port);
      } else if (Selects(to, agent)) {
        reached.insert(from + "agent " + port);
      } else {
        reached.insert(from + to["app"].as<std::string>() + " " + port);
      }
    }
  }
  EXPECT_EQ(reached, (std::multiset<std::string>{"agent -> names 53", "agent -> target 80", "agent <- coordinator",
                                                 "coordinator -> agent control", "coordinator -> names 53"}));
  for (const YAML::Node& policy : OfKind("base", "NetworkPolicy")) {
    if (NameOf(policy) == "tidemark-agents-to-target") continue;
    EXPECT_EQ(policy["spec"]["policyTypes"].size(), 2u) << NameOf(policy);  // what is not let in or out is not
  }
}

}  // namespace
}  // namespace tidemark

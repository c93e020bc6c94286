#include "common/plan/parts.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/plan/defaults.h"
#include "common/plan/validate.h"
#include "common/plan/variables.h"

namespace tidemark {
namespace {

// Each part as "literal", or its kind's number and what is in its braces.
std::string Shown(absl::string_view text) {
  const auto parts = PartsOf(text);
  if (!parts.ok()) return std::string(parts.status().message());
  std::string out;
  for (const Part& part : *parts)
    absl::StrAppend(&out, part.kind == Part::Kind::kLiteral ? "" : "<", part.text,
                    part.kind == Part::Kind::kLiteral ? "" : ">");
  return out;
}

TEST(PartsTest, PlaceholdersAreTakenOutOfWhatIsAroundThem) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},
      {"plain", "plain"},
      {"{slot}", "<slot>"},
      {"a{slot}b{uuid}", "a<slot>b<uuid>"},
      {"{now:iso}{random:-5..5}{pick:a,,b}", "<now:iso><random:-5..5><pick:a,,b>"},
      {"{symbol} {env:KEY} {file:/run/key}", "<symbol> <env:KEY> <file:/run/key>"},
      {R"({"id":"{slot}","p":{"q":{n}}})", R"({"id":"<slot>","p":{"q":<n>}})"},
      // What JSON and other languages have in braces.
      {R"({"a":1} { slot } {} {1a} {a b} {a:1} {file:name} { {)",
       R"({"a":1} { slot } {} {1a} {a b} {a:1} {file:name} { {)"},
      {"{{slot}} {{any}} {{now:x}}", "{slot} {any} {now:x}"},
      {"{{ {{slot} }}", "{{ {<slot> }}"},
      {"{unclosed", "{unclosed"},
      {"{pick:a\nb}", "{pick:a\nb}"},
  };
  for (const auto& [text, shown] : kCases) EXPECT_EQ(Shown(text), shown) << text;
}

TEST(PartsTest, WhatCannotBeFilledInIsNamedWithItsRemedy) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{now}",
       "has {now}, which cannot be filled in; write {now:ms}, with s, ms, us, ns or iso, or {{now}} for the text"},
      {"{now:minutes}", "has {now:minutes}"},
      {"{random}", "write {random:1..100}"},
      {"{random:5..1}", "has {random:5..1}"},
      {"{random:1..x}", "has {random:1..x}"},
      {"{random:1}", "has {random:1}"},
      {"{random:-9223372036854775808..9223372036854775807}", "write {random:1..100}"},
      {"{pick}", "write {pick:a,b,c}"},
      {"{pick:}", "has {pick:}"},
      {"{slot:1}", "write {slot}"},
      {"{uuid:4}", "write {uuid}"},
      {"{env}", "write {env:NAME}"},
      {"{file}", "write {file:/PATH}"},
  };
  for (const auto& [text, message] : kCases)
    EXPECT_NE(Shown(text).find(message), std::string::npos) << text << ": " << Shown(text);
}

TEST(PartsTest, NothingIsFoundInWhatIsWrittenLiterally) {
  for (const char* text :
       {"", "a", "{slot}", "{{slot}}", "{{{slot}}}", "{now:x}", "{a", "a}", "{random:1..2}{x}", "{env:A}"})
    EXPECT_EQ(Shown(Literally(text)), text);
}

proto::Plan PlanOf(const std::string& path, const std::string& body) {
  proto::Plan plan;
  plan.set_target("http://h/");
  plan.add_requests()->set_path(path);
  plan.mutable_requests(0)->set_body(body);
  return plan;
}

std::string Refused(proto::Plan plan) {
  if (const absl::Status status = ApplyVariables(&plan); !status.ok()) return std::string(status.message());
  ApplyDefaults(&plan);
  return std::string(ValidatePlan(plan).message());
}

TEST(VariablesTest, ValuesStandWhereTheirNamesStood) {
  proto::Plan plan = PlanOf("/{venue}/{symbol}", R"({"s":"{symbol}","lit":"{{symbol}}","n":{size}})");
  plan.mutable_requests(0)->add_headers("X-S: {symbol}");
  plan.set_target("http://{host}/");
  (*plan.mutable_vars())["symbol"] = "BTCUSDT";
  (*plan.mutable_vars())["venue"] = "spot";
  (*plan.mutable_vars())["size"] = "{random:1..9}";
  (*plan.mutable_vars())["host"] = "h:81";
  ASSERT_TRUE(SetVariables({"symbol=A=B", "venue="}, &plan).ok());
  (*plan.mutable_vars())["venue"] = "spot";
  ASSERT_TRUE(ApplyVariables(&plan).ok());
  EXPECT_EQ(plan.target(), "http://h:81/");
  EXPECT_EQ(plan.requests(0).path(), "/spot/A=B");
  EXPECT_EQ(plan.requests(0).headers(0), "X-S: A=B");
  EXPECT_EQ(plan.requests(0).body(), R"({"s":"A=B","lit":"{{symbol}}","n":{random:1..9}})");
  EXPECT_TRUE(plan.vars().empty());
}

TEST(VariablesTest, BadOnesAreNamedWithTheirRemedy) {
  const auto with = [](const char* name, const char* value) {
    proto::Plan plan = PlanOf("/{a}", "x");
    (*plan.mutable_vars())["a"] = "1";
    (*plan.mutable_vars())[name] = value;
    return Refused(plan);
  };
  EXPECT_EQ(with("a", "2"), "");
  EXPECT_NE(with("b", "1").find("vars: 'b' has no effect: nothing names {b}"), std::string::npos) << with("b", "1");
  EXPECT_NE(with("a-b", "1").find("vars: 'a-b' is no name"), std::string::npos);
  EXPECT_NE(with("slot", "1").find("vars: 'slot' is the name of a placeholder"), std::string::npos);
  EXPECT_NE(with("now", "1").find("vars: 'now' is the name of a placeholder"), std::string::npos);
  // A variable is not looked for in another one's value.
  EXPECT_NE(with("a", "{a}").find("requests.path: has {a}, and there is no such variable"), std::string::npos);
  proto::Plan plan;
  EXPECT_EQ(SetVariables({"nothing"}, &plan).message(), "--var: 'nothing' is no variable; write NAME=VALUE");
  EXPECT_FALSE(SetVariables({"=1"}, &plan).ok());
}

TEST(VariablesTest, AnUndeclaredNameIsRefusedWhereverItStands) {
  EXPECT_NE(Refused(PlanOf("/{b}", "x"))
                .find("requests.path: has {b}, and there is no such variable; declare it under vars, "
                      "or with --var b=VALUE, or write {{b}} for the text itself"),
            std::string::npos)
      << Refused(PlanOf("/{b}", "x"));
  EXPECT_NE(Refused(PlanOf("/", "{b}")).find("requests.body: has {b}"), std::string::npos);
  EXPECT_NE(Refused(PlanOf("/", "{now:x}")).find("requests.body: has {now:x}"), std::string::npos);
  proto::Plan plan = PlanOf("/", "x");
  plan.mutable_requests(0)->add_headers("X: {b}");
  EXPECT_NE(Refused(plan).find("requests.headers: has {b}"), std::string::npos);
  plan = proto::Plan();
  plan.set_target("http://h/{b}");
  EXPECT_NE(Refused(plan).find("target: has {b}"), std::string::npos);
  plan.set_target("ws://h/");
  plan.mutable_web_socket()->add_subscribe("{b}");
  EXPECT_NE(Refused(plan).find("web_socket.subscribe: has {b}"), std::string::npos);
  EXPECT_NE(Refused(PlanOf("/{pick:a,b c}", "x")).find("has a space"), std::string::npos);
}

TEST(VariablesTest, ASeedInAClosedLoopNeedsSomethingRandom) {
  proto::Plan plan = PlanOf("/", "x");
  plan.mutable_sweep()->set_seed(7);
  EXPECT_NE(Refused(plan).find("sweep.seed: has no effect"), std::string::npos);
  plan.mutable_requests(0)->set_body("{uuid}");
  EXPECT_EQ(Refused(plan), "");
}

}  // namespace
}  // namespace tidemark

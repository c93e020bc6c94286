// The pages of docs/reference are what the tables of the code say.
#include "coordinator/cli/reference.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/command_table.h"
#include "common/exit_code.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/json_page.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/tables.h"
#include "protos/options.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(ReferenceTest, EachPageIsWhatTheTablesSay) {
  const std::filesystem::path folder = std::filesystem::path(TIDEMARK_SOURCE_DIR) / "docs/reference";
  std::set<std::string> names;
  for (const ReferencePage& page : ReferencePages()) {
    const std::string file = std::string(page.name) + ".md";
    names.insert(file);
    EXPECT_EQ(Read(folder / file), page.make())
        << "make it again: tidemark reference " << page.name << " > docs/reference/" << file;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_EQ(names.count(entry.path().filename()), 1u) << entry.path();
}

void ExpectHelp(const google::protobuf::Descriptor& type, std::set<const google::protobuf::Descriptor*>* seen) {
  if (type.full_name() == "google.protobuf.Duration" || type.options().map_entry() || !seen->insert(&type).second)
    return;
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    EXPECT_GE(field.options().GetExtension(proto::help).size(), 8u) << field.full_name();
    if (field.message_type() != nullptr) ExpectHelp(*field.message_type(), seen);
  }
}

TEST(ReferenceTest, EachFieldOfThePlanHasItsHelp) {
  std::set<const google::protobuf::Descriptor*> seen;
  ExpectHelp(*proto::Plan::descriptor(), &seen);
  EXPECT_GE(seen.size(), 10u);
}

TEST(ReferenceTest, EachFieldOfTheJsonSaysWhatItIs) {
  const std::vector<JsonField> fields = JsonFields();
  EXPECT_GE(fields.size(), 250u);
  EXPECT_EQ(fields[0].message, "Report");
  for (const JsonField& field : fields) EXPECT_GE(field.meaning.size(), 1u) << field.message << "." << field.name;
}

TEST(ReferenceTest, EachColumnOfATableSaysWhatItIsAndHasANameOfItsOwn) {
  for (const auto& columns : {CsvColumns(), PointsColumns(), SeriesColumns(), HlogColumns()}) {
    std::set<std::string> names;
    for (const ColumnRow& column : columns) {
      EXPECT_TRUE(names.insert(column.name).second) << column.name;
      EXPECT_GE(column.meaning.size(), 3u) << column.name;
    }
    EXPECT_GE(names.size(), 5u);
  }
}

TEST(ReferenceTest, EachFlagAndOperandHasItsHelp) {
  int rows = 0;
  for (const CommandRow& command : CommandTable()) {
    EXPECT_GE(command.what.size(), 8u) << command.Name();
    for (const auto* list : {&command.flags, &command.operands}) {
      for (const FlagRow& row : *list) {
        EXPECT_GE(row.help.size(), 4u) << command.Name() << " " << row.names[0];
        ++rows;
      }
    }
  }
  EXPECT_GE(rows, 100);
}

// Each code that a program ends with is on the page, and no other.
TEST(ReferenceTest, EachExitCodeIsOnThePageAndKnown) {
  std::set<int> codes;
  for (const CommandRow& command : CommandTable()) {
    for (const ExitCodeRow& row : command.exit_codes) {
      codes.insert(row.code);
      EXPECT_GE(row.meaning.size(), 4u) << command.Name() << " " << row.code;
    }
  }
  EXPECT_EQ(codes, (std::set<int>{kExitOk, kExitUsage, kExitAgents, kExitAccounting, kExitStrict, kExitTarget,
                                  kExitInternal, kExitExpectation, kExitInterrupted}));
}

}  // namespace
}  // namespace tidemark

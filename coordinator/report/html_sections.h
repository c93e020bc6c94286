// The parts of the page that are text and tables: all that it says without a script.
#pragma once

#include <string>

#include "coordinator/report/answer.h"
#include "coordinator/report/html_table.h"
#include "protos/report.pb.h"

namespace tidemark {

// HTML of each part; empty where the run has nothing of it.
std::string AnswerHeading(const Answer& answer);  // the answer alone
HtmlCell VerdictCell(const proto::Point& point);
std::string AnswerSection(const proto::Report& report, const Answer& answer);  // what and when, the answer, four tiles
std::string SweepSection(const proto::Report& report);    // a row for each point, and why its verdict is what it is
std::string AccountSection(const proto::Report& report);  // where every request went
std::string MixSection(const proto::Report& report, const Answer& answer);
std::string SlowestSection(const proto::Report& report, const Answer& answer);
std::string StreamSection(const proto::Report& report);
std::string RepeatSection(const proto::Report& report);   // command, plan, machines
std::string ReadingSection(const proto::Report& report);  // how to read the page

}  // namespace tidemark

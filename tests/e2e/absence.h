// What a report must not say: a zero that nobody measured. Judged by the plan that the report prints, with a table of
// its own; every report that a test reads goes through it.
#pragma once

#include <boost/json.hpp>
#include <string>

namespace tidemark {

// `text` is a report's, or a search's, as it was written.
void ExpectNoFalseZeros(const std::string& text);

// The CSV `text`: one row per point of `report`, and each column a number but for the two that are words.
void ExpectCsvOf(const boost::json::value& report, const std::string& text);

}  // namespace tidemark

// What a column of a table says, for the reference.
#pragma once

#include <string>

namespace tidemark {

struct ColumnRow {
  std::string name;  // its ending is its unit, see UnitOf in coordinator/cli/json_page.h
  std::string meaning;
};

}  // namespace tidemark

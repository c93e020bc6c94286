// A command's manual page.
#pragma once

#include <string>
#include <vector>

#include "common/command_table.h"

namespace tidemark {

// "tidemark-run": the page's name, which `man` finds; its file is that and ".1".
std::string ManPageName(const CommandRow& row);

// The page of table[index] in roff (man(7)), which names the pages of the others.
// REQUIRES: table is of one program, whose `version` stands in the page's foot.
std::string ManPage(const std::vector<CommandRow>& table, std::size_t index, const std::string& version);

}  // namespace tidemark

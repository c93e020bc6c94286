// What a reader should know of the machines, names and agents of a point, whatever it did to the result.
#pragma once

#include <string>
#include <vector>

#include "coordinator/verdict/verdict.h"

namespace tidemark {

std::vector<std::string> RemarksOn(const PointFacts& facts);

}  // namespace tidemark

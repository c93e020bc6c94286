// What a user leaves out.
#pragma once

#include "protos/plan.pb.h"

namespace tidemark {

// Fills every field that the user left out, so that a printed plan shows what will happen:
// the sweep 10, 20, 50, 100, 200, 500, 1000 after a second of warm-up each, 10 s per point, 30 s time-outs, GET; an open
// loop has 100 connections, Poisson arrivals and 30 s per rate.
void ApplyDefaults(proto::Plan* plan);

}  // namespace tidemark

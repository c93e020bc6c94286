#include "agent/recorder.h"

#include <algorithm>

namespace tidemark {

void Recorder::Add(const Recorder& other) {
  for (std::size_t i = 0; i < kMetricCount; ++i) histograms[i].Add(other.histograms[i]);
  counters.Add(other.counters);
  last_done = std::max(last_done, other.last_done);
}

void Recorder::Clear() {
  for (Histogram& histogram : histograms) {
    if (!histogram.IsEmpty()) histogram.Clear();
  }
  counters = Counters();
  last_done = 0;
}

}  // namespace tidemark

// Histograms as bytes: the sparse form that shards carry, and HdrHistogram's V2 form for other tools.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/stats/histogram.h"
#include "protos/shard.pb.h"

namespace tidemark {

// The counts in slot order as ZigZag LEB128 (at most 9 bytes each, the 9th holding 8 bits): n > 0 is the count of
// the next slot, -k < 0 stands for k empty slots, 0 for one; trailing empty slots are omitted. This is the payload of
// HdrHistogram's V2 encoding.
std::string EncodeCounts(const Histogram& histogram);

// Adds the counts encoded in `bytes` to `histogram`, and sets `facts->count` and `facts->hash` to what was added.
// On error the histogram may hold part of them: decode into a scratch one.
// Errors: InvalidArgument for a truncated number, a run or a count that leaves the range, a sum above 2^62.
absl::Status DecodeCounts(absl::string_view bytes, Histogram* histogram, HistogramFacts* facts);

// One histogram of a shard, on and off the wire.
void ToProto(const HistogramFacts& facts, std::uint32_t metric, proto::HistogramSummary* out);
HistogramFacts FactsFromProto(const proto::HistogramSummary& in);
void ToProto(const Histogram& histogram, std::uint32_t metric, proto::HistogramDelta* out);

// Decodes `delta` into `histogram`, which is cleared first, and checks it against its own summary. On error the
// content of `histogram` means nothing.  Errors: InvalidArgument saying what does not fit.
absl::Status DecodeDelta(const proto::HistogramDelta& delta, Histogram* histogram);

// HdrHistogram V2, zlib-compressed (cookie 0x1c849314), before base64.
std::string EncodeV2(const Histogram& histogram);

// Reads V2, or the older V1 and V0, as written by any HdrHistogram whose unit magnitude is 0 or more and whose digits
// are 1 to 5: each slot's count is recorded at the upper end of its range, as HdrHistogram itself does on a mixed add.
// Errors: InvalidArgument for anything else, or what exceeds 16 MiB inflated.
absl::StatusOr<Histogram> DecodeHdr(absl::string_view bytes);

}  // namespace tidemark

#include "agent/exchange/first_answers.h"

#include <algorithm>

#include "common/inert_text.h"

namespace tidemark {

// Cut by Keep, when the secrets are out of it.
void Excerpt::SetContentType(absl::string_view value) { content_type = std::string(value); }

void Excerpt::Append(absl::string_view more) {
  const std::size_t taken = std::min(more.size(), StatusCounts::kMaxBody - body.size());
  body.append(more.data(), taken);
  is_cut = is_cut || taken < more.size();
}

void FirstAnswers::Keep(int status, const Excerpt& excerpt) {
  if (!Wants(status) || counts_ == nullptr) return;
  wanted_.reset(static_cast<std::size_t>(status));
  const StatusCounts::Key key{.is_upgrade = is_upgrade_, .status = static_cast<std::uint32_t>(status)};
  counts_->Offer(
      key, {.source = source_,
            .body = InertText(masks_->Apply(excerpt.body, excerpt.is_cut), StatusCounts::kMaxBody),
            .content_type = InertText(masks_->Apply(excerpt.content_type, false), StatusCounts::kMaxContentType)});
}

}  // namespace tidemark

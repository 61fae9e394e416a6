// How a repeat of a request is told from another request (protocol.md section 8).
#include <gmock/gmock.h>

#include "server/job/validation.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Edit Base() {
  Edit edit;
  edit.prompt = "Night rain";
  edit.source = GenerationSource{"a"};
  return edit;
}

StoredSource Inline(const char* id, const char* sha256, const char* media_type) {
  StoredSource stored;
  stored.source_id = id;
  stored.sha256 = sha256;
  stored.media_type = media_type;
  stored.was_inline = true;
  return stored;
}

TEST(DifferingFields, EqualRequestsHaveNone) {
  SubmitOptions options;
  options.labels["team"] = "a";
  EXPECT_THAT(DifferingFields(Base(), options, Base(), options), IsEmpty());
}

TEST(DifferingFields, NamesEachInTheOrderOfTheProto) {
  Edit other = Base();
  other.prompt = "Day";
  other.source = GenerationSource{"b"};
  other.output_format = OutputFormat::kHdr720p;
  other.manual = ManualConditioning{};
  other.start_frame_url = "https://example.com/a.png";
  SubmitOptions options;
  options.labels["team"] = "a";
  options.max_price_usd_micros = 0;
  options.declared_source_duration = absl::Seconds(1);
  options.start_within = absl::Seconds(1);
  EXPECT_THAT(DifferingFields(Base(), {}, other, options),
              ElementsAre("edit.prompt", "edit.generation_id", "edit.output_format", "edit.manual",
                          "edit.start_frame_url", "labels", "max_price_usd_micros",
                          "declared_source_duration", "start_within"));
}

TEST(DifferingFields, UnsetAndZeroDiffer) {
  Edit first = Base();
  Edit repeat = Base();
  first.manual.emplace().face = true;
  repeat.manual = first.manual;
  repeat.manual->depth_blur = 0.0;
  repeat.manual->pose = Pose::kPrecise;
  EXPECT_THAT(DifferingFields(first, {}, repeat, {}),
              ElementsAre("edit.manual.pose", "edit.manual.depth_blur"));
}

TEST(DifferingFields, InlineBytesAreComparedByHashNotByTheirId) {
  Edit first = Base();
  Edit repeat = Base();
  first.source = Inline("one", "hash", "video/mp4");
  repeat.source = Inline("", "hash", "video/mp4");
  EXPECT_THAT(DifferingFields(first, {}, repeat, {}), IsEmpty());
  repeat.source = Inline("", "other", "video/webm");
  EXPECT_THAT(DifferingFields(first, {}, repeat, {}),
              ElementsAre("edit.inline.data", "edit.inline.media_type"));
}

TEST(DifferingFields, AnotherKindOfSourceIsOneField) {
  Edit first = Base();
  first.source = Inline("one", "hash", "video/mp4");
  EXPECT_THAT(DifferingFields(first, {}, Base(), {}), ElementsAre("edit.source"));
}

}  // namespace
}  // namespace lumaedit

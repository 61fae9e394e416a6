// What makes a submission ill-formed (protocol.md section 8, upstream.md section 6).
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "server/job/validation.h"

namespace lumaedit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

SubmitRequest Good() {
  SubmitRequest request;
  request.caller = "local";
  request.request_id = "0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10";
  request.edit.prompt = "Night rain";
  request.edit.source = GenerationSource{"9f4b1c8a-6d2e-4f7b-8a3c-5e6d7f809112"};
  return request;
}

std::vector<std::string> Fields(const SubmitRequest& request) {
  std::vector<std::string> fields;
  for (const Violation& violation : ValidateSubmit(request, {})) fields.push_back(violation.field);
  return fields;
}

std::string Repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(ValidateSubmit, AcceptsTheSmallestRequest) { EXPECT_THAT(Fields(Good()), IsEmpty()); }

TEST(ValidateSubmit, AcceptsEverythingAtItsLimit) {
  SubmitRequest request = Good();
  request.request_id = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF";
  request.edit.prompt = Repeated("😀", 6000);
  request.edit.source = std::monostate{};
  request.inline_source = InlineBytes{std::string(1, '\0'), "video/x-matroska.v2+a"};
  request.edit.output_format = OutputFormat::kHdrExr1080p;
  request.edit.manual.emplace();
  request.edit.manual->strength = Strength::kReimagine3;
  request.edit.manual->pose = Pose::kCoarse;
  request.edit.manual->depth_blur = 0.0;
  request.edit.manual->normals_augmentation = 1.0;
  request.edit.manual->trajectory_sparsity = -0.0;
  request.edit.start_frame_url = "https://frames.example.com/a.png";
  for (int i = 0; i < 16; ++i) {
    request.options.labels["k" + std::to_string(i)] = std::string(63, 'v');
  }
  request.options.max_price_usd_micros = 0;
  request.options.declared_source_duration = absl::Seconds(30);
  request.options.start_within = absl::Nanoseconds(1);
  EXPECT_THAT(Fields(request), IsEmpty());
}

TEST(ValidateSubmit, NamesEveryWrongFieldInTheOrderOfTheProto) {
  SubmitRequest request;
  request.edit.output_format = static_cast<OutputFormat>(8);
  request.edit.manual.emplace();
  request.edit.manual->depth_blur = 1.5;
  request.edit.start_frame_url = "http://frames.example.com/a.png";
  request.options.labels["Bad"] = "";
  request.options.max_price_usd_micros = -1;
  request.options.declared_source_duration = absl::ZeroDuration();
  request.options.start_within = absl::ZeroDuration();
  EXPECT_THAT(Fields(request),
              ElementsAre("request_id", "edit.prompt", "edit.source", "edit.output_format",
                          "edit.manual.depth_blur", "edit.start_frame_url", "labels",
                          "max_price_usd_micros", "declared_source_duration", "start_within"));
}

struct Case {
  const char* name;
  std::function<void(SubmitRequest&)> change;
  const char* field;  // empty: still accepted
};

class SubmitCase : public ::testing::TestWithParam<Case> {};

TEST_P(SubmitCase, IsJudged) {
  SubmitRequest request = Good();
  GetParam().change(request);
  const std::vector<std::string> expected = *GetParam().field == '\0'
                                                ? std::vector<std::string>{}
                                                : std::vector<std::string>{GetParam().field};
  EXPECT_EQ(Fields(request), expected);
}

ManualConditioning Manual(std::function<void(ManualConditioning&)> change) {
  ManualConditioning manual;
  change(manual);
  return manual;
}

InlineBytes Mp4() { return {"bytes", "video/mp4"}; }

INSTANTIATE_TEST_SUITE_P(
    Table, SubmitCase,
    ::testing::Values(
        Case{"IdEmpty", [](auto& r) { r.request_id = ""; }, "request_id"},
        Case{"IdNil", [](auto& r) { r.request_id = "00000000-0000-0000-0000-000000000000"; },
             "request_id"},
        Case{"IdNoDashes", [](auto& r) { r.request_id = "0b6f3c527a1e4d0c9a543f1f6a2d7e10"; },
             "request_id"},
        Case{"IdBraces", [](auto& r) { r.request_id = "{0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10}"; },
             "request_id"},
        Case{"IdNotHex", [](auto& r) { r.request_id = "0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e1g"; },
             "request_id"},
        Case{"IdDashMoved", [](auto& r) { r.request_id = "0b6f3c527-a1e-4d0c-9a54-3f1f6a2d7e10"; },
             "request_id"},
        Case{"IdVersion7", [](auto& r) { r.request_id = "01890a5d-ac96-774b-bcce-b302099a8057"; },
             ""},
        Case{"PromptEmpty", [](auto& r) { r.edit.prompt = ""; }, "edit.prompt"},
        Case{"Prompt6000", [](auto& r) { r.edit.prompt = std::string(6000, 'a'); }, ""},
        Case{"Prompt6001", [](auto& r) { r.edit.prompt = std::string(6001, 'a'); }, "edit.prompt"},
        Case{"Prompt6001Wide", [](auto& r) { r.edit.prompt = Repeated("é", 6001); }, "edit.prompt"},
        Case{"PromptOverlong", [](auto& r) { r.edit.prompt = "\xC0\xAF"; }, "edit.prompt"},
        Case{"PromptSurrogate", [](auto& r) { r.edit.prompt = "\xED\xA0\x80"; }, "edit.prompt"},
        Case{"PromptTooHigh", [](auto& r) { r.edit.prompt = "\xF4\x90\x80\x80"; }, "edit.prompt"},
        Case{"PromptCut", [](auto& r) { r.edit.prompt = "ab\xE2\x82"; }, "edit.prompt"},
        Case{"PromptContinuation", [](auto& r) { r.edit.prompt = "\x80"; }, "edit.prompt"},
        Case{"SourceNone", [](auto& r) { r.edit.source = std::monostate{}; }, "edit.source"},
        Case{"SourceTwo", [](auto& r) { r.inline_source = Mp4(); }, "edit.source"},
        Case{"SourceId",
             [](auto& r) {
               StoredSource stored;
               stored.source_id = "a";
               r.edit.source = stored;
             },
             "edit.source_id"},
        Case{"SourceIdUuid",
             [](auto& r) {
               StoredSource stored;
               stored.source_id = "0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10";
               r.edit.source = stored;
             },
             ""},
        Case{"SourceJob", [](auto& r) { r.edit.source = JobSource{"a", ""}; },
             "edit.source_job_id"},
        Case{"SourceJobUuid",
             [](auto& r) {
               r.edit.source = JobSource{"0b6f3c52-7a1e-4d0c-9a54-3f1f6a2d7e10", ""};
             },
             ""},
        Case{"GenerationEmpty", [](auto& r) { r.edit.source = GenerationSource{""}; },
             "edit.generation_id"},
        Case{"Generation128", [](auto& r) { r.edit.source = GenerationSource{std::string(128, '_')}; },
             ""},
        Case{"Generation129", [](auto& r) { r.edit.source = GenerationSource{std::string(129, 'a')}; },
             "edit.generation_id"},
        Case{"GenerationSlash", [](auto& r) { r.edit.source = GenerationSource{"a/b"}; },
             "edit.generation_id"},
        Case{"FormatNegative",
             [](auto& r) { r.edit.output_format = static_cast<OutputFormat>(-1); },
             "edit.output_format"},
        Case{"FormatTooHigh",
             [](auto& r) { r.edit.output_format = static_cast<OutputFormat>(8); },
             "edit.output_format"},
        Case{"ManualNothing", [](auto& r) { r.edit.manual = ManualConditioning{}; },
             "edit.manual"},
        Case{"ManualFace", [](auto& r) { r.edit.manual = Manual([](auto& m) { m.face = true; }); },
             ""},
        Case{"ManualZero",
             [](auto& r) { r.edit.manual = Manual([](auto& m) { m.depth_blur = 0.0; }); }, ""},
        Case{"ManualStrength",
             [](auto& r) {
               r.edit.manual = Manual([](auto& m) { m.strength = static_cast<Strength>(10); });
             },
             "edit.manual.strength"},
        Case{"ManualPose",
             [](auto& r) {
               r.edit.manual = Manual([](auto& m) { m.pose = static_cast<Pose>(3); });
             },
             "edit.manual.pose"},
        Case{"DepthNaN",
             [](auto& r) { r.edit.manual = Manual([](auto& m) { m.depth_blur = std::nan(""); }); },
             "edit.manual.depth_blur"},
        Case{"DepthInfinite",
             [](auto& r) {
               r.edit.manual = Manual(
                   [](auto& m) { m.depth_blur = std::numeric_limits<double>::infinity(); });
             },
             "edit.manual.depth_blur"},
        Case{"NormalsBelow",
             [](auto& r) {
               r.edit.manual = Manual([](auto& m) { m.normals_augmentation = -1e-9; });
             },
             "edit.manual.normals_augmentation"},
        Case{"TrajectoryAbove",
             [](auto& r) {
               r.edit.manual =
                   Manual([](auto& m) { m.trajectory_sparsity = std::nextafter(1.0, 2.0); });
             },
             "edit.manual.trajectory_sparsity"},
        Case{"Labels17",
             [](auto& r) {
               for (int i = 0; i < 17; ++i) r.options.labels["k" + std::to_string(i)] = "v";
             },
             "labels"},
        Case{"LabelKey63", [](auto& r) { r.options.labels["k" + std::string(62, '-')] = ""; }, ""},
        Case{"LabelKey64", [](auto& r) { r.options.labels["k" + std::string(63, '-')] = ""; },
             "labels"},
        Case{"LabelKeyEmpty", [](auto& r) { r.options.labels[""] = ""; }, "labels"},
        Case{"LabelKeyDigitFirst", [](auto& r) { r.options.labels["1a"] = ""; }, "labels"},
        Case{"LabelKeyUpper", [](auto& r) { r.options.labels["aB"] = ""; }, "labels"},
        Case{"LabelValue64", [](auto& r) { r.options.labels["team"] = std::string(64, 'v'); },
             "labels[team]"},
        Case{"PriceNegative", [](auto& r) { r.options.max_price_usd_micros = -1; },
             "max_price_usd_micros"},
        Case{"DurationNegative",
             [](auto& r) { r.options.declared_source_duration = absl::Seconds(-1); },
             "declared_source_duration"},
        Case{"DurationTooLong",
             [](auto& r) {
               r.options.declared_source_duration = absl::Seconds(30) + absl::Nanoseconds(1);
             },
             "declared_source_duration"},
        Case{"DurationInvalid",
             [](auto& r) { r.options.declared_source_duration = absl::InfiniteDuration(); },
             "declared_source_duration"},
        Case{"StartWithinNegative", [](auto& r) { r.options.start_within = absl::Seconds(-1); },
             "start_within"},
        Case{"StartWithinInvalid",
             [](auto& r) { r.options.start_within = absl::InfiniteDuration(); }, "start_within"}),
    [](const auto& info) { return info.param.name; });

class MediaType : public ::testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(MediaType, IsJudged) {
  SubmitRequest request = Good();
  request.edit.source = std::monostate{};
  request.inline_source = InlineBytes{"bytes", GetParam().first};
  if (GetParam().second) {
    EXPECT_THAT(Fields(request), IsEmpty());
  } else {
    EXPECT_THAT(Fields(request), ElementsAre("edit.inline.media_type"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, MediaType,
    ::testing::Values(std::pair{"video/mp4", true}, std::pair{"video/quicktime", true},
                      std::pair{"video/x-matroska", true}, std::pair{"", false},
                      std::pair{"video", false}, std::pair{"video/", false},
                      std::pair{"image/png", false}, std::pair{"video/mp4; codecs=avc1", false},
                      std::pair{"video/mp4 ", false}, std::pair{" video/mp4", false},
                      std::pair{"video/a/b", false}, std::pair{"video/*", true},
                      std::pair{"video/m\xC3\xBC", false}, std::pair{"video/mp4\r\nX: 1", false}));

TEST(ValidateQuote, LooksAtTheEditAndTheDeclaredDurationOnly) {
  SubmitRequest request = Good();
  request.request_id.clear();
  request.edit.prompt.clear();
  request.options.labels = {{"Bad", ""}};
  request.options.max_price_usd_micros = -1;
  EXPECT_THAT(ValidateQuote(request, {}), IsEmpty());

  request.edit.prompt = "\x80";
  request.edit.source = std::monostate{};
  request.edit.output_format = static_cast<OutputFormat>(8);
  request.options.declared_source_duration = absl::Seconds(31);
  std::vector<std::string> fields;
  for (const Violation& violation : ValidateQuote(request, {})) fields.push_back(violation.field);
  EXPECT_THAT(fields, ElementsAre("edit.prompt", "edit.source", "edit.output_format",
                                  "declared_source_duration"));
}

TEST(ValidateSubmit, AnEmptyInlineSourceIsNamed) {
  SubmitRequest request = Good();
  request.edit.source = std::monostate{};
  request.inline_source = InlineBytes{};
  EXPECT_THAT(Fields(request), ElementsAre("edit.inline.data", "edit.inline.media_type"));
}

TEST(ValidateSubmit, TheLongestSourceIsASetting) {
  SubmitRequest request = Good();
  request.options.declared_source_duration = absl::Seconds(19);
  ValidationLimits limits;
  limits.longest_source = absl::Seconds(18);
  const auto violations = ValidateSubmit(request, limits);
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_THAT(violations[0].description, HasSubstr("18s"));
}

TEST(ValidateLabels, ABadKeyIsShownCutAndEscaped) {
  const auto violations = ValidateLabels({{"\n\xFF" + std::string(5000, 'x'), ""}}, "labels");
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_THAT(violations[0].description, HasSubstr("\\n\\xff"));
  EXPECT_LT(violations[0].description.size(), 200u);
}

}  // namespace
}  // namespace lumaedit

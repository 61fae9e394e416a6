// Values come back from their JSON texts bit for bit, and bad texts are errors.
#include "server/store/value_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "server/base/random.h"

namespace lumaedit {
namespace {

TEST(ValueJson, DoublesComeBackBitForBit) {
  SystemRandom random;
  for (int i = 0; i < 20'000; ++i) {
    Edit edit;
    edit.manual.emplace();
    edit.manual->depth_blur = random.Uniform();
    edit.manual->trajectory_sparsity =
        i == 0 ? std::numeric_limits<double>::denorm_min() : std::ldexp(random.Uniform(), i % 64);
    const auto read = EditFromJson(EditToJson(edit));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, edit);
  }
}

TEST(ValueJson, AnyBytesOfATextComeBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  Fact fact;
  fact.note = all;
  fact.upstream_offset = -absl::Milliseconds(1500);
  const auto read = FactFromJson(FactToJson(fact));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, fact);
}

TEST(ValueJson, UnsetAndZeroDiffer) {
  Edit edit;
  edit.manual.emplace();
  edit.manual->depth_blur = 0.0;
  const auto read = EditFromJson(EditToJson(edit));
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->manual->depth_blur.has_value());
  EXPECT_FALSE(read->manual->normals_augmentation.has_value());
}

TEST(ValueJson, UnknownAndMissingKeysAreNoError) {
  const auto read = EditFromJson(R"({"prompt":"p","of_next_year":{"a":[1]}})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->prompt, "p");
}

TEST(ValueJson, WrongTypesAreDataLoss) {
  const std::string deep(1000, '[');
  for (const std::string& text : std::initializer_list<std::string>{
           "", "null", "7", "[]", "{", "{}x", deep, R"({"prompt":null})", R"({"prompt":[]})",
           R"({"output_format":"2"})", R"({"output_format":1e300})", R"({"manual":[]})",
           R"({"manual":{"depth_blur":0.5}})", R"({"manual":{"depth_blur":"x"}})",
           R"({"manual":{"depth_blur":"0.5 "}})", R"({"manual":{"strength":99}})",
           R"({"manual":{"face":0}})", R"({"stored":{"size_bytes":"1"}})",
           R"({"stored":{"size_bytes":99999999999999999999}})"}) {
    EXPECT_TRUE(absl::IsDataLoss(EditFromJson(text).status())) << text;
  }
  EXPECT_TRUE(absl::IsDataLoss(OptionsFromJson(R"({"start_within":[1]})").status()));
  EXPECT_TRUE(absl::IsDataLoss(OptionsFromJson(R"({"start_within":[1,"2"]})").status()));
  EXPECT_TRUE(absl::IsDataLoss(OptionsFromJson(R"({"labels":["a"]})").status()));
  EXPECT_TRUE(absl::IsDataLoss(OutcomeFromJson(R"({"read_time":"now"})").status()));
  EXPECT_TRUE(absl::IsDataLoss(FactFromJson(R"({"kind":0})").status()));
  EXPECT_TRUE(absl::IsDataLoss(StringsFromJson(R"({"a":1})").status()));
  EXPECT_TRUE(absl::IsDataLoss(StringsFromJson(R"(["a",1])").status()));
  EXPECT_TRUE(absl::IsDataLoss(SourceInfoFromJson(R"({"size_bytes":-1})").status()));
}

}  // namespace
}  // namespace lumaedit

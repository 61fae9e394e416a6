// From the arguments to the request: what is set, what stays unset, and what a file may hold.

#include "client/cli/edit_request.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/fakes/temp_folder.h"

namespace lumaedit::client::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class EditRequestTest : public ::testing::Test {
 protected:
  void SetUp() override { arguments_.submit.prompt = "p"; }

  std::string File(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  TempFolder folder_;
  Arguments arguments_;
};

TEST_F(EditRequestTest, LeavesUnsetWhatWasNotGiven) {
  arguments_.submit.request_id = "r";
  arguments_.submit.generation_id = "g";
  const auto request = MakeSubmitRequest(arguments_);
  ASSERT_TRUE(request.ok());
  v1::SubmitEditRequest expected;
  expected.set_request_id("r");
  expected.mutable_edit()->set_prompt("p");
  expected.mutable_edit()->set_generation_id("g");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*request, expected))
      << request->ShortDebugString();
}

TEST_F(EditRequestTest, SetsAllThatWasGiven) {
  SubmitArguments& submit = arguments_.submit;
  submit.generation_id = "g";
  submit.format = v1::OUTPUT_FORMAT_HDR_1080P;
  submit.strength = v1::ManualConditioning::STRENGTH_ADHERE_3;
  submit.pose = v1::ManualConditioning::POSE_PRECISE;
  submit.depth_blur = 0;
  submit.normals_augmentation = 0.1;
  submit.trajectory_sparsity = 1;
  submit.face = true;
  submit.start_frame_url = "https://a.test/f.png";
  submit.max_price_usd_micros = 0;
  submit.source_duration = absl::Milliseconds(12500);
  submit.start_within = absl::Hours(1);
  arguments_.labels["a"] = "b";
  const auto request = MakeSubmitRequest(arguments_);
  ASSERT_TRUE(request.ok());
  const v1::Edit& edit = request->edit();
  EXPECT_EQ(edit.generation_id(), "g");
  EXPECT_EQ(edit.output_format(), v1::OUTPUT_FORMAT_HDR_1080P);
  EXPECT_EQ(edit.manual().strength(), v1::ManualConditioning::STRENGTH_ADHERE_3);
  EXPECT_EQ(edit.manual().pose(), v1::ManualConditioning::POSE_PRECISE);
  EXPECT_TRUE(edit.manual().has_depth_blur());  // 0 and unset differ
  EXPECT_EQ(edit.manual().normals_augmentation(), 0.1);
  EXPECT_EQ(edit.manual().trajectory_sparsity(), 1);
  EXPECT_TRUE(edit.manual().face());
  EXPECT_EQ(edit.start_frame_url(), "https://a.test/f.png");
  EXPECT_TRUE(request->has_max_price_usd_micros());
  EXPECT_EQ(request->declared_source_duration().seconds(), 12);
  EXPECT_EQ(request->declared_source_duration().nanos(), 500000000);
  EXPECT_EQ(request->start_within().seconds(), 3600);
  EXPECT_EQ(request->labels().at("a"), "b");
  EXPECT_THAT(request->request_id(), SizeIs(36));
}

TEST_F(EditRequestTest, AnyManualSettingTurnsTheAutomaticOff) {
  arguments_.submit.depth_blur = 0;
  const auto request = MakeSubmitRequest(arguments_);
  EXPECT_TRUE(request->edit().has_manual());
  EXPECT_FALSE(request->edit().manual().has_normals_augmentation());
}

TEST_F(EditRequestTest, ReadsThePromptFromAFileWithoutItsLastLineEnd) {
  arguments_.submit.prompt.clear();
  arguments_.submit.prompt_file = File("prompt.txt", "Night rain,\nneon\r\n");
  EXPECT_EQ(MakeSubmitRequest(arguments_)->edit().prompt(), "Night rain,\nneon");
}

TEST_F(EditRequestTest, SendsAFileAndGuessesItsType) {
  arguments_.submit.source_file = File("take.MOV", std::string("a\0b", 3));
  const auto request = MakeSubmitRequest(arguments_);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->edit().inline_().data(), std::string("a\0b", 3));
  EXPECT_EQ(request->edit().inline_().media_type(), "video/quicktime");
  arguments_.submit.media_type = "video/mp4";
  EXPECT_EQ(MakeSubmitRequest(arguments_)->edit().inline_().media_type(), "video/mp4");
}

TEST_F(EditRequestTest, SaysWhenAFileCannotServe) {
  arguments_.submit.source_file = File("take", "x");
  EXPECT_THAT(MakeSubmitRequest(arguments_).error().message, HasSubstr("--media-type"));
  arguments_.submit.source_file = folder_ / "none.mp4";
  EXPECT_THAT(MakeSubmitRequest(arguments_).error().message, HasSubstr("none.mp4"));
  arguments_.submit.source_file = folder_.path();
  EXPECT_FALSE(MakeSubmitRequest(arguments_).ok());
}

TEST_F(EditRequestTest, WhatDoesNotFitIntoTheMessageIsLeftToBeUploaded) {
  // With the rest of this request, 4 MiB less 100 bytes fit; less 30 do not.
  arguments_.submit.source_file = File("fits.mp4", std::string(kMessageLimit - 100, 'x'));
  const auto fits = MakeSubmitRequest(arguments_);
  ASSERT_TRUE(fits.ok());
  EXPECT_FALSE(NeedsUpload(arguments_, *fits));
  arguments_.submit.source_file = File("large.mp4", std::string(kMessageLimit - 30, 'x'));
  const auto large = MakeSubmitRequest(arguments_);
  ASSERT_TRUE(large.ok());
  EXPECT_TRUE(NeedsUpload(arguments_, *large));
  EXPECT_EQ(large->edit().source_case(), v1::Edit::SOURCE_NOT_SET);
  EXPECT_EQ(large->edit().prompt(), fits->edit().prompt());
}

}  // namespace
}  // namespace lumaedit::client::cli

// Every bad request is refused with its wrong fields named, and stores nothing.
#include <gmock/gmock.h>

#include <cmath>

#include "tests/wire/rpc/gateway.h"
#include "tests/wire/rpc/raw_call.h"

namespace lumaedit {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(gateway_.started().ok()) << gateway_.started(); }

  Failure Submit(const v1::SubmitEditRequest& request) {
    grpc::ClientContext context;
    v1::Job job;
    return FailureOf(gateway_.Stub()->SubmitEdit(&context, request, &job));
  }

  void ExpectRefused(const v1::SubmitEditRequest& request, const std::string& field) {
    const Failure failure = Submit(request);
    EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_EQ(failure.reason, "INVALID_FIELDS") << field;
    EXPECT_THAT(failure.fields, ElementsAre(field));
    EXPECT_EQ(failure.metadata.at("violation_count"), "1") << field;
    EXPECT_EQ(gateway_.JobCount(), 0) << field;
  }

  Failure List(const v1::ListJobsRequest& request) {
    grpc::ClientContext context;
    v1::ListJobsResponse response;
    return FailureOf(gateway_.Stub()->ListJobs(&context, request, &response));
  }

  Gateway gateway_;
};

TEST_F(BadInput, EachWrongFieldIsNamedAndNothingIsStored) {
  v1::SubmitEditRequest request = gateway_.Good();
  request.mutable_edit()->clear_prompt();
  ExpectRefused(request, "edit.prompt");

  request = gateway_.Good();
  std::string prompt;
  for (int i = 0; i < 6001; ++i) prompt += "é";
  request.mutable_edit()->set_prompt(prompt);
  ExpectRefused(request, "edit.prompt");

  request = gateway_.Good();
  request.mutable_edit()->clear_source();
  ExpectRefused(request, "edit.source");

  request = gateway_.Good();
  request.mutable_edit()->mutable_inline_()->set_data("bytes");
  request.mutable_edit()->mutable_inline_()->set_media_type("image/png");
  ExpectRefused(request, "edit.inline.media_type");

  request = gateway_.Good();
  request.mutable_edit()->mutable_manual()->set_depth_blur(1.01);
  ExpectRefused(request, "edit.manual.depth_blur");

  request = gateway_.Good();
  request.mutable_edit()->mutable_manual()->set_trajectory_sparsity(std::nan(""));
  ExpectRefused(request, "edit.manual.trajectory_sparsity");

  request = gateway_.Good();
  request.mutable_edit()->mutable_manual();
  ExpectRefused(request, "edit.manual");

  request = gateway_.Good();
  request.clear_request_id();
  ExpectRefused(request, "request_id");

  request = gateway_.Good();
  request.set_request_id("00000000-0000-0000-0000-000000000000");
  ExpectRefused(request, "request_id");

  request = gateway_.Good();
  for (int i = 0; i < 17; ++i) (*request.mutable_labels())["k" + std::to_string(i)] = "v";
  ExpectRefused(request, "labels");

  request = gateway_.Good();
  request.mutable_edit()->set_start_frame_url("https://169.254.169.254/latest");
  ExpectRefused(request, "edit.start_frame_url");
}

TEST_F(BadInput, AllWrongFieldsComeTogetherTheFirstTwentyOfThem) {
  v1::SubmitEditRequest request;
  for (int i = 0; i < 30; ++i) (*request.mutable_labels())["K" + std::to_string(i)] = "v";
  const Failure failure = Submit(request);
  EXPECT_THAT(failure.fields, SizeIs(20));
  EXPECT_EQ(failure.fields[0], "request_id");
  // request_id, prompt, source, the number of labels, and each key.
  EXPECT_EQ(failure.metadata.at("violation_count"), "34");
}

TEST_F(BadInput, AMessageThatProtobufRefusesIsMalformed) {
  // The first text field of each, with a byte that is not UTF-8.
  const std::vector<std::pair<std::string, std::string>> not_text = {{"SubmitEdit", "\x0A\x01\xFF"},
                                                                     {"GetJob", "\x0A\x01\xFF"},
                                                                     {"ListJobs", "\x12\x01\xFF"},
                                                                     {"CancelJob", "\x0A\x01\xFF"}};
  for (const auto& [method, text] : not_text) {
    for (const std::string& bytes : {text, std::string("\x0A\x05"), std::string("\xFF\xFF")}) {
      const Failure failure = FailureOf(RawCall(gateway_.Connect(), method, bytes));
      EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT) << method;
      EXPECT_EQ(failure.reason, "MALFORMED_MESSAGE") << method;
    }
  }
  EXPECT_EQ(gateway_.JobCount(), 0);
}

TEST_F(BadInput, TheWatchNamesItsFieldsToo) {
  auto stub = gateway_.Stub();
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_after_sequence(-1);
  request.mutable_heartbeat_interval()->set_seconds(61);
  v1::WatchJobResponse response;
  auto reader = stub->WatchJob(&context, request);
  EXPECT_FALSE(reader->Read(&response));
  const Failure failure = FailureOf(reader->Finish());
  EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(failure.fields, ElementsAre("job_id", "after_sequence", "heartbeat_interval"));
}

TEST_F(BadInput, PageTokensAndSizes) {
  v1::ListJobsRequest request;
  request.set_page_token("AAAA");
  Failure failure = List(request);
  EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(failure.fields, ElementsAre("page_token"));

  request.Clear();
  request.set_page_size(-1);
  EXPECT_THAT(List(request).fields, ElementsAre("page_size"));

  // A token of a list with another filter.
  gateway_.SubmitOne();
  gateway_.SubmitOne();
  request.Clear();
  request.set_page_size(1);
  grpc::ClientContext context;
  v1::ListJobsResponse page;
  ASSERT_TRUE(gateway_.Stub()->ListJobs(&context, request, &page).ok());
  ASSERT_NE(page.next_page_token(), "");
  request.set_page_token(page.next_page_token());
  EXPECT_EQ(List(request).code, grpc::StatusCode::OK);
  request.add_states(v1::Job::STATE_PENDING);
  EXPECT_THAT(List(request).fields, ElementsAre("page_token"));
}

TEST_F(BadInput, ATooBigMessageIsRefusedBeforeItIsRead) {
  v1::SubmitEditRequest request = gateway_.Good();
  request.mutable_edit()->mutable_inline_()->set_data(std::string(5 << 20, 'x'));
  request.mutable_edit()->mutable_inline_()->set_media_type("video/mp4");
  EXPECT_EQ(Submit(request).code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(gateway_.JobCount(), 0);
}

TEST_F(BadInput, CompressedMessagesAreRefused) {
  // A megabyte that packs to a kilobyte.
  v1::SubmitEditRequest request = gateway_.Good();
  request.mutable_edit()->set_prompt(std::string(1 << 20, 'x'));
  for (auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const grpc::Status status =
        RawCall(gateway_.Connect(), "SubmitEdit", request.SerializeAsString(), algorithm);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
}

}  // namespace
}  // namespace lumaedit

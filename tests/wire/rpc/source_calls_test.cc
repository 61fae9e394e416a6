// UploadSource and GetSource through the wire, and what becomes of sources in quotes and jobs.
#include "tests/wire/rpc/source_calls.h"

#include <gmock/gmock.h>

#include "absl/strings/escaping.h"
#include "server/base/hash.h"
#include "tests/fakes/fake_media_probe.h"
#include "tests/wire/rpc/corpus.h"

namespace lumaedit {
namespace {

TEST_F(SourceCalls, AVideoIsKeptMeasuredAndPriced) {
  const std::string video = PaddedVideo(3'000'000);
  const v1::Source source = Uploaded(video);
  EXPECT_EQ(source.state(), v1::Source::STATE_READY);
  EXPECT_EQ(source.received_bytes(), source.size_bytes());
  EXPECT_EQ(source.size_bytes(), static_cast<std::int64_t>(video.size()));
  EXPECT_EQ(source.duration().seconds(), 5);
  EXPECT_EQ(source.duration().nanos(), 41'667'000);
  EXPECT_NEAR(source.expire_time().seconds(), absl::ToUnixSeconds(absl::Now()) + 24 * 3600, 60);
  EXPECT_EQ(Got(source.id()).SerializeAsString(), source.SerializeAsString());
  EXPECT_TRUE(StoredBytes(source.id()) == video);

  v1::QuoteEditRequest quote_request;
  quote_request.mutable_edit()->set_source_id(source.id());
  v1::QuoteEditResponse quote;
  grpc::ClientContext quote_context;
  ASSERT_TRUE(stub_->QuoteEdit(&quote_context, quote_request, &quote).ok());
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_PROBED);
  EXPECT_TRUE(quote.near_block_border());
  EXPECT_EQ(quote.source_duration().nanos(), 41'667'000);

  v1::SubmitEditRequest request = gateway_->Good();
  request.mutable_edit()->set_source_id(source.id());
  v1::Job job;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->SubmitEdit(&context, request, &job).ok());
  EXPECT_EQ(job.edit().source_id(), source.id());
  EXPECT_EQ(job.quote().max_usd_micros(), quote.price().max_usd_micros());
}

TEST_F(SourceCalls, ABrokenUploadGoesOnWhereItStopped) {
  const std::string video = PaddedVideo(5'000'000);
  v1::UploadSourceRequest open = Open(video);
  {
    grpc::ClientContext context;
    v1::Source source;
    auto writer = stub_->UploadSource(&context, &source);
    ASSERT_TRUE(writer->Write(open));
    ASSERT_TRUE(writer->Write(Chunk(video.substr(0, kChunk))));
    ASSERT_TRUE(Eventually([&] {
      v1::Source so_far;
      return Get(open.open().source_id(), &so_far).ok() &&
             so_far.received_bytes() == static_cast<std::int64_t>(kChunk);
    }));
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  ASSERT_TRUE(Eventually([&] { return gateway_->service().open_uploads() == 0; }));
  v1::Source broken = Got(open.open().source_id());
  EXPECT_EQ(broken.state(), v1::Source::STATE_UPLOADING);
  EXPECT_EQ(broken.received_bytes(), static_cast<std::int64_t>(kChunk));
  EXPECT_FALSE(broken.has_duration());

  // Anywhere else is refused, and says where.
  v1::Source source;
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{1} << 21}) {
    open.mutable_open()->set_offset(offset);
    const Failure elsewhere = FailureOf(Upload(open, video, &source));
    EXPECT_EQ(elsewhere.code, grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(elsewhere.reason, "UPLOAD_OFFSET");
    EXPECT_EQ(elsewhere.metadata.at("received_bytes"), "1048576");
  }
  open.mutable_open()->set_offset(broken.received_bytes());
  const grpc::Status resumed = Upload(open, video, &source, std::string::npos, 300'000);
  ASSERT_TRUE(resumed.ok()) << resumed.error_message();
  EXPECT_EQ(source.state(), v1::Source::STATE_READY);
  EXPECT_TRUE(StoredBytes(source.id()) == video);
}

TEST_F(SourceCalls, AnEarlyEndIsToldAndGoesOn) {
  const std::string video = PaddedVideo(2'000'000);
  v1::UploadSourceRequest open = Open(video);
  v1::Source source;
  const Failure early = FailureOf(Upload(open, video, &source, 1'500'000));
  EXPECT_EQ(early.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(early.reason, "TRUNCATED");
  EXPECT_EQ(early.metadata.at("received_bytes"), "1500000");
  open.mutable_open()->set_offset(1'500'000);
  EXPECT_TRUE(Upload(open, video, &source).ok());
  EXPECT_EQ(source.state(), v1::Source::STATE_READY);
}

TEST_F(SourceCalls, WhatIsThereNeedsNoBytes) {
  const std::string video = PaddedVideo(100);
  const v1::UploadSourceRequest open = Open(video);
  v1::Source source;
  ASSERT_TRUE(Upload(open, video, &source).ok());
  v1::Source again;
  ASSERT_TRUE(Upload(open, "", &again).ok());
  EXPECT_EQ(again.SerializeAsString(), source.SerializeAsString());
  // The id is the same in upper case.
  v1::UploadSourceRequest upper = open;
  upper.mutable_open()->set_source_id(absl::AsciiStrToUpper(open.open().source_id()));
  ASSERT_TRUE(Upload(upper, "", &again).ok());
  EXPECT_EQ(again.id(), source.id());

  // Another file under the id is no upload of it.
  for (int field = 0; field < 3; ++field) {
    v1::UploadSourceRequest other = open;
    if (field == 0) other.mutable_open()->set_size_bytes(open.open().size_bytes() + 1);
    if (field == 1) other.mutable_open()->set_sha256(std::string(32, 'x'));
    if (field == 2) other.mutable_open()->set_media_type("video/webm");
    const Failure conflict = FailureOf(Upload(other, video, &again));
    EXPECT_EQ(conflict.code, grpc::StatusCode::ALREADY_EXISTS);
    EXPECT_EQ(conflict.reason, "SOURCE_CONFLICT");
  }
}

TEST_F(SourceCalls, WrongBytesAreRefusedAndTheRightOnesMayCome) {
  const std::string video = PaddedVideo(1000);
  std::string wrong = video;
  wrong[video.size() / 2] ^= 1;
  const v1::UploadSourceRequest open = Open(video);
  v1::Source source;
  const Failure refused = FailureOf(Upload(open, wrong, &source));
  EXPECT_EQ(refused.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused.reason, "CHECKSUM_MISMATCH");
  EXPECT_EQ(Got(open.open().source_id()).state(), v1::Source::STATE_REJECTED);
  EXPECT_EQ(Got(open.open().source_id()).rejection(), v1::ERROR_REASON_CHECKSUM_MISMATCH);
  EXPECT_EQ(Got(open.open().source_id()).received_bytes(), 0);
  EXPECT_TRUE(Upload(open, video, &source).ok());
  EXPECT_EQ(Got(source.id()).state(), v1::Source::STATE_READY);
}

TEST_F(SourceCalls, WhatIsNoVideoIsRefusedForGood) {
  const std::pair<const char*, const char*> files[] = {{"text.mp4", "NOT_A_VIDEO"},
                                                       {"sound.mp4", "NOT_A_VIDEO"},
                                                       {"other.avi", "NOT_A_VIDEO"},
                                                       {"noise.webm", "NOT_A_VIDEO"},
                                                       {"exact-30010ms.mp4", "SOURCE_TOO_LONG"},
                                                       {"cut-moov-front-50.mp4", "TRUNCATED"},
                                                       {"cut-fragmented.mp4", "TRUNCATED"}};
  for (const auto& [file, reason] : files) {
    SCOPED_TRACE(file);
    const std::string bytes = CorpusFile(file);
    const v1::UploadSourceRequest open = Open(bytes);
    v1::Source source;
    const Failure refused = FailureOf(Upload(open, bytes, &source));
    EXPECT_EQ(refused.code, grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(refused.reason, reason);
    EXPECT_EQ(refused.metadata.count("received_bytes"), 0u);
    if (std::string(reason) == "SOURCE_TOO_LONG") {
      EXPECT_EQ(refused.metadata.at("duration_seconds"), "30.010000");
      EXPECT_EQ(refused.metadata.at("longest_seconds"), "30.000000");
    }
    const v1::Source rejected = Got(open.open().source_id());
    EXPECT_EQ(rejected.state(), v1::Source::STATE_REJECTED);
    EXPECT_EQ(v1::ErrorReason_Name(rejected.rejection()), std::string("ERROR_REASON_") + reason);
    // Again, and in a submission and a quote.
    EXPECT_EQ(FailureOf(Upload(open, bytes, &source)).reason, reason);
    v1::SubmitEditRequest request = gateway_->Good();
    request.mutable_edit()->set_source_id(open.open().source_id());
    v1::Job job;
    grpc::ClientContext context;
    const Failure submitted = FailureOf(stub_->SubmitEdit(&context, request, &job));
    EXPECT_EQ(submitted.code, grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(submitted.reason, reason);
  }
  EXPECT_EQ(gateway_->JobCount(), 0);
}

TEST_F(SourceCalls, TheSameHoldsForInlineSources) {
  const std::pair<const char*, const char*> files[] = {{"text.mp4", "NOT_A_VIDEO"},
                                                       {"exact-30010ms.mp4", "SOURCE_TOO_LONG"},
                                                       {"cut-moov-back-50.mp4", "TRUNCATED"}};
  for (const auto& [file, reason] : files) {
    SCOPED_TRACE(file);
    v1::SubmitEditRequest request = gateway_->Good();
    request.mutable_edit()->mutable_inline_()->set_data(CorpusFile(file));
    request.mutable_edit()->mutable_inline_()->set_media_type("video/mp4");
    v1::Job job;
    grpc::ClientContext context;
    const Failure submitted = FailureOf(stub_->SubmitEdit(&context, request, &job));
    EXPECT_EQ(submitted.code, grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(submitted.reason, reason);
    v1::QuoteEditRequest quote_request;
    *quote_request.mutable_edit() = request.edit();
    v1::QuoteEditResponse quote;
    grpc::ClientContext quote_context;
    EXPECT_EQ(FailureOf(stub_->QuoteEdit(&quote_context, quote_request, &quote)), submitted);
  }
  EXPECT_EQ(gateway_->JobCount(), 0);

  v1::SubmitEditRequest request = gateway_->Good();
  request.mutable_edit()->mutable_inline_()->set_data(CorpusFile("exact-5001ms.mp4"));
  request.mutable_edit()->mutable_inline_()->set_media_type("video/mp4");
  request.mutable_declared_source_duration()->set_seconds(29);
  v1::QuoteEditRequest quote_request;
  *quote_request.mutable_edit() = request.edit();
  v1::QuoteEditResponse quote;
  grpc::ClientContext quote_context;
  ASSERT_TRUE(stub_->QuoteEdit(&quote_context, quote_request, &quote).ok());
  EXPECT_EQ(quote.duration_basis(), v1::QuoteEditResponse::DURATION_BASIS_PROBED);
  EXPECT_EQ(quote.source_duration().nanos(), 1'000'000);
  v1::Job job;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->SubmitEdit(&context, request, &job).ok());
  EXPECT_EQ(job.quote().max_usd_micros(), quote.price().max_usd_micros());
  EXPECT_EQ(gateway_->store().Get("local", job.id())->source_length.basis, DurationBasis::kProbed);
}

TEST_F(SourceCalls, EveryWrongFieldIsNamed) {
  v1::UploadSourceRequest nothing;
  nothing.mutable_open();
  EXPECT_THAT(
      FailureOf(Send({nothing})).fields,
      testing::ElementsAre("open.source_id", "open.media_type", "open.size_bytes", "open.sha256"));
  v1::UploadSourceRequest wrong = Open("x");
  wrong.mutable_open()->set_source_id("00000000-0000-0000-0000-000000000000");
  wrong.mutable_open()->set_media_type("image/png");
  wrong.mutable_open()->set_size_bytes(200'000'001);
  wrong.mutable_open()->set_sha256("short");
  wrong.mutable_open()->set_offset(-1);
  const Failure failure = FailureOf(Send({wrong}));
  EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(failure.reason, "INVALID_FIELDS");
  EXPECT_THAT(failure.fields,
              testing::ElementsAre("open.source_id", "open.media_type", "open.size_bytes",
                                   "open.sha256", "open.offset"));
  wrong = Open("x");
  wrong.mutable_open()->set_offset(2);
  EXPECT_THAT(FailureOf(Send({wrong})).fields, testing::ElementsAre("open.offset"));
}

TEST_F(SourceCalls, MessagesComeInTheirOrder) {
  const v1::UploadSourceRequest open = Open("0123456789");
  const auto fields = [&](const std::vector<v1::UploadSourceRequest>& messages) {
    const Failure failure = FailureOf(Send(messages));
    EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
    return failure.fields;
  };
  EXPECT_THAT(fields({}), testing::ElementsAre("open"));
  EXPECT_THAT(fields({Chunk("0")}), testing::ElementsAre("open"));
  EXPECT_THAT(fields({open, open}), testing::ElementsAre("open"));
  EXPECT_THAT(fields({open, v1::UploadSourceRequest()}), testing::ElementsAre("message"));
  EXPECT_THAT(fields({open, Chunk("")}), testing::ElementsAre("chunk"));
  EXPECT_THAT(fields({open, Chunk("0123456789x")}), testing::ElementsAre("chunk"));
  EXPECT_EQ(Got(open.open().source_id()).received_bytes(), 0);
}

TEST_F(SourceCalls, AChunkHasAtMostOneMebibyte) {
  const std::string video = PaddedVideo(3 << 20);
  const v1::UploadSourceRequest open = Open(video);
  v1::Source source;
  const Failure refused = FailureOf(Upload(open, video, &source, std::string::npos, kChunk + 1));
  EXPECT_EQ(refused.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.fields, testing::ElementsAre("chunk"));
  EXPECT_TRUE(Upload(open, video, &source, std::string::npos, kChunk).ok());
}

TEST_F(SourceCalls, ForeignAndMissingSourcesLookAlike) {
  SourceInfo foreign;
  foreign.caller = "somebody else";
  foreign.id = gateway_->random().Uuid();
  foreign.media_type = "video/mp4";
  foreign.size_bytes = 5;
  foreign.sha256 = Sha256Hex("video");
  foreign.expire_time = absl::Now() + absl::Hours(1);
  ASSERT_TRUE(gateway_->sources().Open(foreign).ok());
  v1::Source source;
  const Failure missing = FailureOf(Get(gateway_->random().Uuid(), &source));
  EXPECT_EQ(missing.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(missing.reason, "SOURCE_NOT_FOUND");
  EXPECT_EQ(FailureOf(Get(foreign.id, &source)), missing);
  EXPECT_EQ(FailureOf(Get("../" + foreign.id, &source)), missing);
  EXPECT_EQ(FailureOf(Get("", &source)).fields, std::vector<std::string>{"source_id"});

  // An id that somebody else has is free to everybody else.
  const std::string video = PaddedVideo(10);
  v1::UploadSourceRequest open = Open(video);
  open.mutable_open()->set_source_id(foreign.id);
  ASSERT_TRUE(Upload(open, video, &source).ok());
  EXPECT_EQ(gateway_->sources().Get("somebody else", foreign.id)->received_bytes, 0);
}

}  // namespace
}  // namespace lumaedit

// Contract of SourceStore.
#include "tests/contract/source_store_suite.h"

#include <gmock/gmock.h>

#include "server/base/hash.h"

namespace lumaedit {

SourceInfo SourceStoreSuite::Announce(std::string_view bytes, const std::string& caller) {
  SourceInfo info;
  info.caller = caller;
  info.id = random_.Uuid();
  info.media_type = "video/mp4";
  info.size_bytes = static_cast<std::int64_t>(bytes.size());
  info.sha256 = Sha256Hex(bytes);
  info.expire_time = harness_->clock().Now() + absl::Hours(1);
  return info;
}

SourceInfo SourceStoreSuite::Uploaded(std::string_view bytes, const std::string& caller) {
  const SourceInfo info = Announce(bytes, caller);
  EXPECT_TRUE(store().Open(info).ok());
  EXPECT_TRUE(store().Append(caller, info.id, 0, bytes).ok());
  const auto ready = store().Finish(caller, info.id, absl::Seconds(5));
  EXPECT_TRUE(ready.ok()) << ready.status();
  return ready.ok() ? *ready : SourceInfo{};
}

namespace {

using State = SourceInfo::State;

TEST_P(SourceStoreSuite, KeepsWhatWasUploaded) {
  const SourceInfo ready = Uploaded("0123456789");
  EXPECT_EQ(ready.state, State::kReady);
  EXPECT_EQ(ready.received_bytes, 10);
  harness_->Reopen();
  const auto info = store().Get("caller-a", ready.id);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->state, State::kReady);
  EXPECT_EQ(info->duration, absl::Seconds(5));
  EXPECT_EQ(info->media_type, "video/mp4");
  EXPECT_EQ(info->sha256, ready.sha256);
  EXPECT_EQ(info->expire_time, ready.expire_time);
  const auto reader = store().Read("caller-a", ready.id);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size_bytes(), 10);
  EXPECT_EQ(*(*reader)->Read(0, 4), "0123");
  EXPECT_EQ(*(*reader)->Read(8, 100), "89");
  EXPECT_EQ(*(*reader)->Read(10, 5), "");
  EXPECT_EQ(*(*reader)->Read(99, 5), "");
}

TEST_P(SourceStoreSuite, AnUploadGoesOnWhereItWasCut) {
  const SourceInfo info = Announce("0123456789");
  EXPECT_EQ(store().Open(info)->received_bytes, 0);
  ASSERT_TRUE(store().Append("caller-a", info.id, 0, "0123").ok());
  harness_->Reopen();
  const auto found = store().Open(info);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->state, State::kUploading);
  EXPECT_EQ(found->received_bytes, 4);
  for (const std::int64_t offset : {0, 3, 5}) {
    const absl::Status elsewhere = store().Append("caller-a", info.id, offset, "0123");
    EXPECT_EQ(elsewhere.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(HasReason(elsewhere, ErrorReason::kUploadOffset));
    EXPECT_EQ(DetailOf(elsewhere).metadata.at("received_bytes"), "4");
  }
  ASSERT_TRUE(store().Append("caller-a", info.id, 4, "456789").ok());
  EXPECT_EQ(store().Append("caller-a", info.id, 10, "x").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(store().Finish("caller-a", info.id, absl::ZeroDuration()).ok());
  EXPECT_EQ(store().Finish("caller-a", info.id, absl::Seconds(3))->duration, absl::Seconds(3));
  EXPECT_EQ(store().Append("caller-a", info.id, 10, "").code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(SourceStoreSuite, AnExistingIdAnswersWhatItIs) {
  const SourceInfo ready = Uploaded("0123456789");
  SourceInfo other = Announce("abc");
  other.id = ready.id;
  const auto found = store().Open(other);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->state, State::kReady);
  EXPECT_EQ(found->sha256, ready.sha256);
}

TEST_P(SourceStoreSuite, WrongBytesAreRejectedAndTheRightOnesMayCome) {
  const SourceInfo info = Announce("0123456789");
  ASSERT_TRUE(store().Open(info).ok());
  ASSERT_TRUE(store().Append("caller-a", info.id, 0, "012345678X").ok());
  const absl::Status wrong = store().Finish("caller-a", info.id, absl::ZeroDuration()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(wrong));
  EXPECT_TRUE(HasReason(wrong, ErrorReason::kChecksumMismatch));
  harness_->Reopen();
  EXPECT_EQ(store().Get("caller-a", info.id)->state, State::kRejected);
  EXPECT_EQ(store().Get("caller-a", info.id)->rejection, ErrorReason::kChecksumMismatch);
  EXPECT_FALSE(store().Read("caller-a", info.id).ok());
  EXPECT_TRUE(HasReason(store().Finish("caller-a", info.id, absl::ZeroDuration()).status(),
                        ErrorReason::kChecksumMismatch));

  const auto again = store().Open(info);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, State::kUploading);
  EXPECT_EQ(again->received_bytes, 0);
  EXPECT_EQ(again->rejection, ErrorReason::kUnspecified);
  ASSERT_TRUE(store().Append("caller-a", info.id, 0, "0123456789").ok());
  EXPECT_EQ(store().Finish("caller-a", info.id, absl::ZeroDuration())->state, State::kReady);
}

TEST_P(SourceStoreSuite, AnEarlyEndLeavesAnUploadThatGoesOn) {
  const SourceInfo info = Announce("0123456789");
  ASSERT_TRUE(store().Open(info).ok());
  ASSERT_TRUE(store().Append("caller-a", info.id, 0, "01234").ok());
  const auto early = store().Finish("caller-a", info.id, absl::ZeroDuration()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(early));
  EXPECT_TRUE(HasReason(early, ErrorReason::kTruncated));
  EXPECT_EQ(DetailOf(early).metadata.at("received_bytes"), "5");
  EXPECT_EQ(store().Get("caller-a", info.id)->state, State::kUploading);
  ASSERT_TRUE(store().Append("caller-a", info.id, 5, "56789").ok());
  EXPECT_TRUE(store().Finish("caller-a", info.id, absl::ZeroDuration()).ok());
}

TEST_P(SourceStoreSuite, AWholeSourceIsUsableOnceItWasMeasured) {
  const SourceInfo info = Announce("0123456789");
  ASSERT_TRUE(store().Open(info).ok());
  ASSERT_TRUE(store().Append("caller-a", info.id, 0, "0123456789").ok());
  EXPECT_FALSE(store().Finish("caller-a", info.id, absl::ZeroDuration())->IsUsable());
  harness_->Reopen();
  EXPECT_FALSE(store().Get("caller-a", info.id)->IsUsable());
  EXPECT_TRUE(store().Read("caller-a", info.id).ok());
  EXPECT_TRUE(store().Finish("caller-a", info.id, absl::Seconds(4))->IsUsable());
  harness_->Reopen();
  EXPECT_TRUE(store().Get("caller-a", info.id)->IsUsable());
}

TEST_P(SourceStoreSuite, ARejectionForItsContentsIsForGood) {
  const SourceInfo info = Uploaded("not a video");
  ASSERT_TRUE(store().Reject("caller-a", info.id, ErrorReason::kNotAVideo).ok());
  harness_->Reopen();
  const auto again = store().Open(info);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, State::kRejected);
  EXPECT_EQ(again->rejection, ErrorReason::kNotAVideo);
}

TEST_P(SourceStoreSuite, ACallerHasSoManySourcesAtMost) {
  std::vector<SourceInfo> all;
  for (int i = 0; i < kMostSources; ++i) {
    all.push_back(Announce("x"));
    ASSERT_TRUE(store().Open(all.back()).ok()) << i;
  }
  // A refused one still is a file.
  ASSERT_TRUE(store().Reject("caller-a", all[0].id, ErrorReason::kNotAVideo).ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(HasReason(store().Open(Announce("x")).status(), ErrorReason::kQuotaExceeded));
    harness_->Reopen();
  }
  EXPECT_TRUE(store().Open(all[1]).ok());
  EXPECT_TRUE(store().Open(Announce("x", "caller-b")).ok());
  harness_->clock().Advance(absl::Hours(2));
  EXPECT_TRUE(store().Open(Announce("x")).ok());
}

TEST_P(SourceStoreSuite, ARejectionKeepsItsReason) {
  const SourceInfo info = Uploaded("not a video");
  ASSERT_TRUE(store().Reject("caller-a", info.id, ErrorReason::kNotAVideo).ok());
  ASSERT_TRUE(store().Reject("caller-a", info.id, ErrorReason::kSourceTooLong).ok());
  EXPECT_EQ(store().Get("caller-a", info.id)->rejection, ErrorReason::kNotAVideo);
}

TEST_P(SourceStoreSuite, OnlyWhatIsReadyCanBeRead) {
  const SourceInfo info = Announce("0123456789");
  ASSERT_TRUE(store().Open(info).ok());
  const auto reader = store().Read("caller-a", info.id);
  EXPECT_TRUE(HasReason(reader.status(), ErrorReason::kSourceNotReady));
}

TEST_P(SourceStoreSuite, UnknownForeignAndExpiredLookAlike) {
  const SourceInfo ready = Uploaded("0123456789");
  const absl::Status unknown = store().Get("caller-b", random_.Uuid()).status();
  EXPECT_TRUE(HasReason(unknown, ErrorReason::kSourceNotFound));
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_EQ(store().Get("caller-b", ready.id).status(), unknown);
  EXPECT_EQ(store().Read("caller-b", ready.id).status(), unknown);
  EXPECT_EQ(store().KeepUntil("caller-b", ready.id, absl::InfiniteFuture()), unknown);
  harness_->clock().Advance(absl::Hours(1));
  EXPECT_EQ(store().Get("caller-a", ready.id).status(), unknown);
  EXPECT_EQ(store().Read("caller-a", ready.id).status(), unknown);
}

TEST_P(SourceStoreSuite, NoIdLeadsOutOfTheStore) {
  for (const std::string id :
       {"", ".", "..", "../../../../etc/passwd", "/etc/passwd",
        "00000000-0000-4000-8000-00000000000/", "00000000-0000-4000-8000-0000000000000", "x"}) {
    SourceInfo info = Announce("abc");
    info.id = id;
    EXPECT_EQ(store().Open(info).status().code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_TRUE(absl::IsNotFound(store().Get("caller-a", id).status())) << id;
    EXPECT_TRUE(absl::IsNotFound(store().Append("caller-a", id, 0, "abc"))) << id;
  }
}

TEST_P(SourceStoreSuite, TheQuotaCountsWhatIsAnnouncedByEachCaller) {
  const std::string bytes(600, 'x');
  const SourceInfo first = Announce(bytes);
  ASSERT_TRUE(store().Open(first).ok());
  harness_->Reopen();
  const auto second = store().Open(Announce(bytes));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(second.status(), ErrorReason::kQuotaExceeded));
  EXPECT_TRUE(store().Open(first).ok());
  EXPECT_TRUE(store().Open(Announce(bytes, "caller-b")).ok());
  ASSERT_TRUE(store().Reject("caller-a", first.id, ErrorReason::kNotAVideo).ok());
  EXPECT_TRUE(store().Open(Announce(bytes)).ok());
  harness_->clock().Advance(absl::Hours(2));
  EXPECT_TRUE(store().Open(Announce(bytes)).ok());
}

TEST_P(SourceStoreSuite, ExpiryIsPutOffButNeverBroughtNearer) {
  const SourceInfo kept = Uploaded("kept");
  const SourceInfo left = Uploaded("left");
  const absl::Time later = kept.expire_time + absl::Hours(5);
  ASSERT_TRUE(store().KeepUntil("caller-a", kept.id, later).ok());
  ASSERT_TRUE(store().KeepUntil("caller-a", kept.id, harness_->clock().Now()).ok());
  harness_->Reopen();
  harness_->clock().Advance(absl::Hours(2));
  EXPECT_EQ(*store().RemoveExpired(harness_->clock().Now()), 1);
  EXPECT_EQ(*store().RemoveExpired(harness_->clock().Now()), 0);
  EXPECT_EQ(store().Get("caller-a", kept.id)->expire_time, later);
  EXPECT_TRUE(absl::IsNotFound(store().Get("caller-a", left.id).status()));
}

TEST_P(SourceStoreSuite, AReaderOutlivesTheRemoval) {
  const SourceInfo ready = Uploaded("0123456789");
  const auto reader = store().Read("caller-a", ready.id);
  harness_->clock().Advance(absl::Hours(2));
  ASSERT_EQ(*store().RemoveExpired(harness_->clock().Now()), 1);
  EXPECT_EQ(*(*reader)->Read(0, 10), "0123456789");
}

TEST_P(SourceStoreSuite, AnExpiredIdStartsAnew) {
  SourceInfo info = Uploaded("0123456789");
  harness_->clock().Advance(absl::Hours(2));
  info.expire_time = harness_->clock().Now() + absl::Hours(1);
  const auto again = store().Open(info);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, State::kUploading);
  EXPECT_EQ(again->received_bytes, 0);
}

TEST_P(SourceStoreSuite, AnEmptyUploadIsWhole) {
  const SourceInfo info = Announce("");
  ASSERT_TRUE(store().Open(info).ok());
  EXPECT_TRUE(store().Finish("caller-a", info.id, absl::ZeroDuration()).ok());
  EXPECT_EQ(*(*store().Read("caller-a", info.id))->Read(0, 1), "");
}

}  // namespace
}  // namespace lumaedit

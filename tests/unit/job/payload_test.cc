#include "server/job/payload.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace lumaedit {
namespace {

Edit Plain() {
  Edit edit;
  edit.prompt = "make it snow";
  edit.source = GenerationSource{"gen-1"};
  return edit;
}

std::string Print(const Edit& edit) { return PayloadFingerprint(PayloadFor(edit)); }

TEST(Payload, DefaultsAreAbsent) {
  Edit edit = Plain();
  const std::string plain = Print(edit);
  edit.output_format = OutputFormat::kSdr720p;
  EXPECT_EQ(Print(edit), plain);
  const UpstreamPayload payload = PayloadFor(edit);
  EXPECT_EQ(payload.resolution, "");
  EXPECT_EQ(payload.edit_auto_controls, true);
}

TEST(Payload, ManualLeavesTheAutomaticOut) {
  Edit edit = Plain();
  edit.manual = ManualConditioning{};
  EXPECT_EQ(PayloadFor(edit).edit_auto_controls, std::nullopt);
  edit.manual->strength = Strength::kReimagine3;
  edit.manual->pose = Pose::kCoarse;
  EXPECT_EQ(PayloadFor(edit).edit_strength, "reimagine_3");
  EXPECT_EQ(PayloadFor(edit).pose_strength, "coarse");
}

TEST(Payload, JobSourceIsItsGeneration) {
  Edit chained = Plain();
  chained.source = JobSource{"some-job", "gen-1"};
  EXPECT_EQ(Print(chained), Print(Plain()));
}

TEST(Payload, StoredSourceIsItsBytes) {
  Edit edit = Plain();
  edit.source = StoredSource{"id-1", "video/mp4", "abc", 3, false};
  Edit same = Plain();
  same.source = StoredSource{"id-2", "video/mp4", "abc", 3, true};
  EXPECT_EQ(Print(edit), Print(same));
}

TEST(Fingerprint, ZeroHasOneSign) {
  UpstreamPayload a;
  a.depth_blur = 0.0;
  UpstreamPayload b;
  b.depth_blur = -0.0;
  EXPECT_EQ(PayloadFingerprint(a), PayloadFingerprint(b));
  EXPECT_NE(PayloadFingerprint(a), PayloadFingerprint(UpstreamPayload{}));  // 0 is sent
}

TEST(Fingerprint, EveryFieldCounts) {
  std::vector<UpstreamPayload> all(1);
  const auto with = [&](auto change) {
    UpstreamPayload payload;
    change(payload);
    all.push_back(payload);
  };
  with([](auto& p) { p.prompt = "a"; });
  with([](auto& p) { p.prompt = "A"; });
  with([](auto& p) { p.prompt = "a "; });
  with([](auto& p) { p.source_generation_id = "a"; });
  with([](auto& p) { p.source_data_sha256 = "a"; });
  with([](auto& p) { p.source_media_type = "a"; });
  with([](auto& p) { p.resolution = "540p"; });
  with([](auto& p) { p.resolution = "1080p"; });
  with([](auto& p) { p.edit_auto_controls = true; });
  with([](auto& p) { p.edit_auto_controls = false; });
  with([](auto& p) { p.edit_strength = "flex_1"; });
  with([](auto& p) { p.pose_strength = "coarse"; });
  with([](auto& p) { p.depth_blur = 0.1; });
  with([](auto& p) { p.depth_blur = 0.1F; });
  with([](auto& p) { p.normals_augmentation = 0.1; });
  with([](auto& p) { p.trajectory_sparsity = 0.1; });
  with([](auto& p) { p.face_enabled = true; });
  with([](auto& p) { p.hdr = true; });
  with([](auto& p) { p.exr_export = true; });
  with([](auto& p) { p.start_frame_url = "a"; });
  with([](auto& p) { p.has_foreign_keys = true; });
  // Text that looks like the form itself.
  with([](auto& p) { p.prompt = "\nsource_generation_id:1:a"; });
  with([](auto& p) { p.prompt = "1:a\nsource_generation_id:0:\n"; });
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [it, is_new] = seen.emplace(PayloadFingerprint(all[i]), i);
    EXPECT_TRUE(is_new) << i << " and " << it->second;
    EXPECT_EQ(PayloadFingerprint(all[i]).size(), 64u);
  }
}

TEST(Payload, TheSevenFormatsDiffer) {
  std::map<std::string, int> seen;
  for (int format = 1; format <= 7; ++format) {
    Edit edit = Plain();
    edit.output_format = static_cast<OutputFormat>(format);
    EXPECT_TRUE(seen.emplace(Print(edit), format).second) << format;
  }
}

}  // namespace
}  // namespace lumaedit

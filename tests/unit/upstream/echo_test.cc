#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <vector>

#include "server/base/hash.h"
#include "server/upstream/base64.h"
#include "server/upstream/payload_writer.h"
#include "server/upstream/record_reader.h"

namespace lumaedit {
namespace {

// The record that echoes `payload`, read in pieces.
UpstreamRecord ReadEcho(const std::string& payload, std::size_t step = 7) {
  const std::string body = R"({"request_id":"a","status":"queued","payload":)" + payload + "}";
  RecordReader reader(Secret(), true);
  for (std::size_t at = 0; at < body.size(); at += step) {
    EXPECT_TRUE(reader.Write(std::string_view(body).substr(at, step)).ok()) << payload;
  }
  EXPECT_TRUE(reader.Finish().ok()) << payload;
  return reader.Record();
}

std::string BodyFor(const UpstreamPayload& payload, const std::string& source) {
  const PayloadFrame frame = WritePayload(kEditModel, payload);
  const std::string body = frame.head + (frame.has_source ? Base64Encode(source) : "") + frame.tail;
  EXPECT_EQ(static_cast<std::int64_t>(body.size()), frame.BodySize(source.size()));
  return body;
}

std::string PayloadIn(const std::string& body) {
  return boost::json::serialize(boost::json::parse(body).at("payload"));
}

std::vector<UpstreamPayload> Payloads(const std::string& source) {
  std::vector<UpstreamPayload> all;
  UpstreamPayload plain;
  plain.prompt = "Night rain, neon \"reflections\" \\ \n\t\x01 \xC3\xA9 \xF0\x9F\x98\x80 </script>";
  plain.source_generation_id = "9f4b1c8a-6d2e-4f7b-8a3c-5e6d7f809112";
  plain.edit_auto_controls = true;
  all.push_back(plain);

  UpstreamPayload manual = plain;
  manual.edit_auto_controls.reset();
  manual.resolution = "1080p";
  manual.edit_strength = "flex_2";
  manual.pose_strength = "precise";
  manual.depth_blur = 0.0;
  manual.normals_augmentation = 0.1;
  manual.trajectory_sparsity = 0.30000000000000004;
  manual.face_enabled = true;
  manual.hdr = true;
  manual.exr_export = true;
  manual.start_frame_url = "https://h.test/a.png?x=1&y=\xC3\xA9";
  all.push_back(manual);

  UpstreamPayload inline_one = manual;
  inline_one.source_generation_id.clear();
  inline_one.source_data_sha256 = Sha256Hex(source);
  inline_one.source_media_type = "video/mp4";
  inline_one.edit_auto_controls = false;
  inline_one.prompt = std::string(6000, 'p');
  all.push_back(inline_one);
  return all;
}

TEST(EchoTest, AnEchoEqualsWhatWasSent) {
  std::string source;
  for (int i = 0; i < 100000; ++i) source.push_back(static_cast<char>(i * 31));
  for (const UpstreamPayload& payload : Payloads(source)) {
    const std::string body = BodyFor(payload, source);
    const std::string own = body.substr(body.find("\"payload\":") + 10);
    // As we wrote it, and as another serializer writes the same values.
    for (const std::string& echo : {own.substr(0, own.size() - 1), PayloadIn(body)}) {
      for (std::size_t step : {std::size_t{1}, std::size_t{1000}, body.size()}) {
        const UpstreamRecord record = ReadEcho(echo, step);
        EXPECT_EQ(record.echo, payload);
        EXPECT_FALSE(record.echo_is_empty);
        EXPECT_EQ(PayloadFingerprint(record.echo), PayloadFingerprint(payload));
      }
    }
  }
}

TEST(EchoTest, NumbersSurviveExactly) {
  for (double value : {0.0, 1.0, 0.1, 1.0 / 3, 0.7853981633974483, 1e-17, 0.9999999999999999,
                       5e-324, 0.123456789012345678}) {
    UpstreamPayload payload;
    payload.prompt = "p";
    payload.depth_blur = value;
    const std::string body = BodyFor(payload, "");
    EXPECT_EQ(ReadEcho(PayloadIn(body)).echo.depth_blur.has_value(), true);
    const std::string own = body.substr(body.find("\"payload\":") + 10);
    EXPECT_EQ(ReadEcho(own.substr(0, own.size() - 1)).echo.depth_blur, value);
  }
}

TEST(EchoTest, SourceDataIsTheLastKeyAndThePayloadTheLastOfAll) {
  UpstreamPayload payload = Payloads("abc").back();
  payload.source_data_sha256 = Sha256Hex("abc");
  const std::string body = BodyFor(payload, "abc");
  EXPECT_TRUE(body.ends_with("\"source_data\":\"YWJj\"}}")) << body.substr(body.size() - 60);
  EXPECT_TRUE(body.starts_with("{\"model\":\"luma-ray-3-2-edit\",\"payload\":{\"prompt\":"));
}

TEST(EchoTest, WhatIsUnsetIsNotWritten) {
  UpstreamPayload payload;
  payload.prompt = "p";
  payload.source_generation_id = "g";
  EXPECT_EQ(BodyFor(payload, ""),
            R"({"model":"luma-ray-3-2-edit","payload":{"prompt":"p","source_generation_id":"g"}})");
}

TEST(EchoTest, DocumentedDefaultsReadAsUnset) {
  UpstreamPayload payload;
  payload.prompt = "p";
  payload.source_generation_id = "g";
  const UpstreamRecord record = ReadEcho(
      R"({"prompt":"p","source_generation_id":"g","source_data":"","source_media_type":"",)"
      R"("resolution":"720p","edit_auto_controls":null,"edit_strength":null,"pose_strength":"None",)"
      R"("depth_blur":null,"normals_augmentation":null,"trajectory_sparsity":null,)"
      R"("face_enabled":false,"hdr":false,"exr_export":false,"start_frame_url":null,"new":null})");
  EXPECT_EQ(record.echo, payload);
}

TEST(EchoTest, NumbersAreComparedAsDoubles) {
  EXPECT_EQ(ReadEcho(R"({"prompt":"p","depth_blur":1})").echo,
            ReadEcho(R"({"prompt":"p","depth_blur":1.0})").echo);
  EXPECT_NE(ReadEcho(R"({"prompt":"p","depth_blur":0})").echo, ReadEcho(R"({"prompt":"p"})").echo);
  EXPECT_NE(ReadEcho(R"({"prompt":"p","edit_auto_controls":false})").echo,
            ReadEcho(R"({"prompt":"p"})").echo);
}

TEST(EchoTest, EmptyEchoesAreKnown) {
  for (const char* payload : {"{}", "null", R"({"prompt":null})"}) {
    EXPECT_TRUE(ReadEcho(payload).echo_is_empty) << payload;
    EXPECT_FALSE(ReadEcho(payload).echo.has_foreign_keys) << payload;
  }
}

TEST(EchoTest, WhatWeNeverSendIsForeign) {
  const std::string long_prompt = R"({"prompt":")" + std::string(6001, 'p') + "\"}";
  for (const std::string& payload :
       std::vector<std::string>{R"({"prompt":"p","aspect_ratio":"16:9"})",
                                R"({"prompt":"p","seed":7})",
                                R"({"prompt":"p","unknown":""})",
                                R"({"prompt":7})",
                                R"({"prompt":{"text":"p"}})",
                                R"({"prompt":["p"]})",
                                R"({"prompt":"p","depth_blur":"0.5"})",
                                R"({"prompt":"p","depth_blur":true})",
                                R"({"prompt":"p","hdr":"true"})",
                                R"({"prompt":"p","hdr":1})",
                                R"({"prompt":"p","edit_strength":5})",
                                R"({"prompt":"p","source_data":"not base64!"})",
                                R"({"prompt":"p","source_data":"data:video/mp4;base64,QUJD"})",
                                R"({"prompt":"p","source_data":"QUJ"})",
                                R"({"prompt":"p","source_data":5})",
                                R"({"prompt":"p","source_data":["QUJD"]})",
                                R"({"prompt":"p","x":{"source_data":"QUJD"}})",
                                "[]",
                                "\"text\"",
                                "7",
                                "true",
                                long_prompt}) {
    const UpstreamRecord record = ReadEcho(payload);
    EXPECT_TRUE(record.echo.has_foreign_keys) << payload.substr(0, 80);
    EXPECT_FALSE(record.echo_is_empty) << payload.substr(0, 80);
  }
}

TEST(EchoTest, SourceDataIsItsHash) {
  EXPECT_EQ(ReadEcho(R"({"source_data":"QUJD"})", 1).echo.source_data_sha256, Sha256Hex("ABC"));
  EXPECT_NE(ReadEcho(R"({"source_data":"QUJE"})", 1).echo.source_data_sha256, Sha256Hex("ABC"));
}

TEST(EchoTest, APromptOfTheLongestKindIsRead) {
  std::string prompt;
  for (int i = 0; i < 6000; ++i) prompt += "\xF0\x9F\x98\x80";
  EXPECT_EQ(ReadEcho("{\"prompt\":\"" + prompt + "\"}", 11).echo.prompt, prompt);
}

}  // namespace
}  // namespace lumaedit

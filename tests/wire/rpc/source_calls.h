// A gateway and the calls of its sources, for the tests of both.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "server/base/hash.h"
#include "tests/wire/rpc/gateway.h"

namespace lumaedit {

class SourceCalls : public testing::Test {
 protected:
  static constexpr std::size_t kChunk = 1 << 20;

  SourceCalls() { Restart({}); }

  void Restart(GatewayOptions options) {
    stub_.reset();
    gateway_.reset();
    gateway_ = std::make_unique<Gateway>(std::move(options));
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
    stub_ = gateway_->Stub();
  }

  v1::UploadSourceRequest Open(const std::string& bytes, std::int64_t offset = 0) {
    v1::UploadSourceRequest message;
    auto& open = *message.mutable_open();
    open.set_source_id(gateway_->random().Uuid());
    open.set_media_type("video/mp4");
    open.set_size_bytes(static_cast<std::int64_t>(bytes.size()));
    open.set_sha256(absl::HexStringToBytes(Sha256Hex(bytes)));
    open.set_offset(offset);
    return message;
  }

  // Sends `open`, then `bytes` from its offset up to `end`, and ends the stream.
  grpc::Status Upload(const v1::UploadSourceRequest& open, const std::string& bytes,
                      v1::Source* source, std::size_t end = std::string::npos,
                      std::size_t chunk = kChunk) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    auto writer = stub_->UploadSource(&context, source);
    bool open_line = writer->Write(open);
    end = std::min(end, bytes.size());
    v1::UploadSourceRequest message;
    for (auto at = static_cast<std::size_t>(open.open().offset()); open_line && at < end;
         at += chunk) {
      message.set_chunk(bytes.substr(at, std::min(chunk, end - at)));
      open_line = writer->Write(message);
    }
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Send(const std::vector<v1::UploadSourceRequest>& messages) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::Source source;
    auto writer = stub_->UploadSource(&context, &source);
    for (const auto& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Get(const std::string& id, v1::Source* source) {
    grpc::ClientContext context;
    v1::GetSourceRequest request;
    request.set_source_id(id);
    return stub_->GetSource(&context, request, source);
  }
  v1::Source Got(const std::string& id) {
    v1::Source source;
    const grpc::Status status = Get(id, &source);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return source;
  }
  v1::Source Uploaded(const std::string& bytes) {
    v1::Source source;
    const grpc::Status status = Upload(Open(bytes), bytes, &source);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return source;
  }
  static v1::UploadSourceRequest Chunk(std::string bytes) {
    v1::UploadSourceRequest message;
    message.set_chunk(std::move(bytes));
    return message;
  }
  std::string StoredBytes(const std::string& id) {
    auto reader = gateway_->sources().Read("local", id);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return "";
    return *(*reader)->Read(0, (*reader)->size_bytes());
  }

  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<v1::EditService::Stub> stub_;
};

}  // namespace lumaedit

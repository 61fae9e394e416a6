// What the bench asks of a gateway, one line of JSON an answer:
//   source_client ADDRESS upload COUNT FILE           COUNT uploads at a time, each its own source
//   source_client ADDRESS submit PROMPT SOURCE-ID...  one job a source; waits until all have ended
//   source_client ADDRESS quote FILE...               uploads each and asks its price
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/client_error.h"
#include "client/request_id.h"
#include "lumaedit/v1/edit_service.grpc.pb.h"
#include "server/base/hash.h"

namespace lumaedit {
namespace {

namespace json = boost::json;
using Stub = v1::EditService::Stub;

constexpr std::size_t kChunk = 256 * 1024;

struct File {
  std::string bytes;
  std::string media_type;
  std::string sha256;
};

File ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  File file;
  file.bytes.assign(std::istreambuf_iterator<char>(in), {});
  file.media_type = absl::EndsWith(path, ".mov")    ? "video/quicktime"
                    : absl::EndsWith(path, ".webm") ? "video/webm"
                    : absl::EndsWith(path, ".mkv")  ? "video/x-matroska"
                                                    : "video/mp4";
  file.sha256 = absl::HexStringToBytes(Sha256Hex(file.bytes));
  return file;
}

grpc::Status Upload(Stub& stub, const File& file, const std::string& id, v1::Source& source) {
  grpc::ClientContext context;
  const auto writer = stub.UploadSource(&context, &source);
  v1::UploadSourceRequest request;
  v1::UploadSourceRequest::Open& open = *request.mutable_open();
  open.set_source_id(id);
  open.set_media_type(file.media_type);
  open.set_size_bytes(static_cast<std::int64_t>(file.bytes.size()));
  open.set_sha256(file.sha256);
  bool going = writer->Write(request);
  for (std::size_t at = 0; going && at < file.bytes.size(); at += kChunk) {
    request.set_chunk(file.bytes.substr(at, kChunk));
    going = writer->Write(request);
  }
  writer->WritesDone();
  return writer->Finish();
}

void Print(const json::object& object) { std::puts(json::serialize(object).c_str()); }

// A connection of its own each.
std::unique_ptr<Stub> Connect(const std::string& address, int number) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("bench.client", number);
  return v1::EditService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

bool UploadMany(const std::string& address, int count, const std::string& path) {
  const File file = ReadFile(path);
  std::mutex mutex;
  bool good = true;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const std::string id = client::NewRequestId();
      v1::Source source;
      const grpc::Status status = Upload(*Connect(address, i), file, id, source);
      const std::lock_guard lock(mutex);
      good = good && status.ok();
      Print({{"source", id}, {"error", status.ok() ? "" : status.error_message()}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  return good;
}

bool SubmitAll(Stub& stub, const std::string& prompt, const std::vector<std::string>& sources) {
  std::vector<std::string> ids;
  for (const std::string& source : sources) {
    grpc::ClientContext context;
    v1::SubmitEditRequest request;
    request.set_request_id(client::NewRequestId());
    request.mutable_edit()->set_prompt(absl::StrCat(prompt, " ", ids.size()));
    request.mutable_edit()->set_source_id(source);
    v1::Job job;
    const grpc::Status status = stub.SubmitEdit(&context, request, &job);
    if (!status.ok()) {
      Print({{"error", status.error_message()}});
      return false;
    }
    ids.push_back(job.id());
  }
  bool good = true;
  for (const std::string& id : ids) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    const auto reader = stub.WatchJob(&context, request);
    v1::WatchJobResponse event;
    v1::Job::State state = v1::Job::STATE_PENDING;
    while (reader->Read(&event)) {
      if (event.has_transition()) state = event.transition().state();
    }
    good = reader->Finish().ok() && state == v1::Job::STATE_SUCCEEDED && good;
    Print({{"job", id}, {"state", v1::Job::State_Name(state)}});
  }
  return good;
}

void QuoteFile(Stub& stub, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string id = client::NewRequestId();
  v1::Source source;
  const grpc::Status uploaded = Upload(stub, ReadFile(path), id, source);
  if (!uploaded.ok()) {
    const client::ClientError error = client::ErrorFromStatus(uploaded);
    Print({{"file", name}, {"refused", error.reason_name}, {"error", error.message}});
    return;
  }
  grpc::ClientContext context;
  v1::QuoteEditRequest request;
  request.mutable_edit()->set_source_id(id);
  v1::QuoteEditResponse quote;
  const grpc::Status status = stub.QuoteEdit(&context, request, &quote);
  if (!status.ok()) {
    Print({{"file", name}, {"error", status.error_message()}});
    return;
  }
  Print({{"file", name},
         {"min_blocks", quote.min_blocks()},
         {"max_blocks", quote.max_blocks()},
         {"near_block_border", quote.near_block_border()},
         {"basis", v1::QuoteEditResponse::DurationBasis_Name(quote.duration_basis())},
         {"duration_us",
          quote.source_duration().seconds() * 1'000'000 + quote.source_duration().nanos() / 1000}});
}

int Run(const std::vector<std::string>& words) {
  if (words.size() < 3) return 2;
  const auto stub =
      v1::EditService::NewStub(grpc::CreateChannel(words[0], grpc::InsecureChannelCredentials()));
  const std::vector<std::string> rest(words.begin() + 3, words.end());
  if (words[1] == "upload" && rest.size() == 1) {
    return UploadMany(words[0], std::atoi(words[2].c_str()), rest[0]) ? 0 : 1;
  }
  if (words[1] == "submit") return SubmitAll(*stub, words[2], rest) ? 0 : 1;
  if (words[1] != "quote") return 2;
  for (std::size_t i = 2; i < words.size(); ++i) QuoteFile(*stub, words[i]);
  return 0;
}

}  // namespace
}  // namespace lumaedit

int main(int argc, char** argv) {
  return lumaedit::Run(std::vector<std::string>(argv + 1, argv + argc));
}

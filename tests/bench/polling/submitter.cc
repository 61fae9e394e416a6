// Submits small edits as quickly as the gateway takes them, and ends when all are acknowledged.
// Prompts are read from stdin, one a line; an edit whose prompt begins with "fat" holds VIDEO.
//   polling_submitter ADDRESS VIDEO < prompts
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "lumaedit/v1/edit_service.grpc.pb.h"
#include "server/base/random.h"

namespace {

namespace v1 = lumaedit::v1;

constexpr std::size_t kInFlight = 64;

struct Call {
  grpc::ClientContext context;
  v1::SubmitEditRequest request;
  v1::Job job;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::Job>> reader;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: polling_submitter ADDRESS VIDEO < prompts\n");
    return 2;
  }
  std::ifstream file(argv[2], std::ios::binary);
  const std::string video((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto stub =
      v1::EditService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  lumaedit::SystemRandom random;
  grpc::CompletionQueue queue;
  std::size_t open = 0;
  int failed = 0;
  std::string prompt;
  bool more = static_cast<bool>(std::getline(std::cin, prompt));
  while (more || open > 0) {
    for (; more && open < kInFlight; ++open) {
      auto* call = new Call;
      call->request.set_request_id(random.Uuid());
      call->request.mutable_edit()->set_prompt(prompt);
      if (prompt.starts_with("fat")) {
        call->request.mutable_edit()->mutable_inline_()->set_data(video);
        call->request.mutable_edit()->mutable_inline_()->set_media_type("video/mp4");
      } else {
        call->request.mutable_edit()->set_generation_id("generation-1");
        call->request.mutable_declared_source_duration()->set_seconds(5);
      }
      call->reader = stub->AsyncSubmitEdit(&call->context, call->request, &queue);
      call->reader->Finish(&call->job, &call->status, call);
      more = static_cast<bool>(std::getline(std::cin, prompt));
    }
    void* tag = nullptr;
    bool ok = false;
    if (!queue.Next(&tag, &ok)) break;
    const std::unique_ptr<Call> done(static_cast<Call*>(tag));
    --open;
    if (done->status.ok()) continue;
    ++failed;
    std::fprintf(stderr, "%d %s\n", done->status.error_code(),
                 done->status.error_message().c_str());
  }
  return failed == 0 ? 0 : 1;
}

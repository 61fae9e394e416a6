// Mutual TLS: who asks is who the certificate names, and nobody sees what is another caller's.
#include <gmock/gmock.h>

#include "tests/wire/rpc/gateway.h"
#include "tests/wire/rpc/test_certificates.h"

namespace lumaedit {
namespace {

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    const PemPair server = authority_.Issue("gateway", "DNS:localhost,IP:127.0.0.1");
    WriteFile(Path("server.pem"), server.certificate);
    WriteFile(Path("server.key"), server.key);
    WriteFile(Path("clients.pem"), authority_.certificate());
    GatewayOptions options;
    options.server.tls = TlsFiles{Path("server.pem"), Path("server.key"), Path("clients.pem")};
    options.server.certificate_refresh = absl::Seconds(1);
    gateway_ = std::make_unique<Gateway>(options);
    ASSERT_TRUE(gateway_->started().ok()) << gateway_->started();
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  std::unique_ptr<v1::EditService::Stub> StubWith(const PemPair& client) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.certificate();
    options.pem_cert_chain = client.certificate;
    options.pem_private_key = client.key;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::EditService::NewStub(
        grpc::CreateCustomChannel("localhost:" + std::to_string(gateway_->server().port()),
                                  grpc::SslCredentials(options), arguments));
  }

  Failure Get(v1::EditService::Stub& stub, const std::string& id) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    // What a client writes into a header counts for nothing.
    context.AddMetadata("x-caller", "cert:spiffe://td/a");
    v1::GetJobRequest request;
    request.set_job_id(id);
    v1::Job job;
    return FailureOf(stub.GetJob(&context, request, &job));
  }

  std::string Submit(v1::EditService::Stub& stub) {
    grpc::ClientContext context;
    v1::Job job;
    const grpc::Status status = stub.SubmitEdit(&context, gateway_->Good(), &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job.id();
  }

  TempFolder folder_;
  TestAuthority authority_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(Tls, TwoCallersDoNotSeeEachOther) {
  auto a = StubWith(authority_.Issue("x", "URI:spiffe://td/a,DNS:a.example"));
  auto b = StubWith(authority_.Issue("x", "DNS:b.example"));
  const std::string id = Submit(*a);
  EXPECT_EQ(gateway_->JobCount("cert:spiffe://td/a"), 1);
  EXPECT_EQ(Get(*a, id).code, grpc::StatusCode::OK);

  // A foreign job cannot be told from a missing one: same code, same shape.
  const Failure foreign = Get(*b, id);
  const Failure missing = Get(*b, gateway_->random().Uuid());
  EXPECT_EQ(foreign.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(foreign, missing);

  const Failure foreign_watch = FailureOf(WatchToEnd(*b, id).status);
  EXPECT_EQ(foreign_watch, FailureOf(WatchToEnd(*b, gateway_->random().Uuid()).status));
  EXPECT_EQ(foreign_watch.code, grpc::StatusCode::NOT_FOUND);

  const auto cancel = [&](const std::string& job_id) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_job_id(job_id);
    v1::CancelJobResponse response;
    return FailureOf(b->CancelJob(&context, request, &response));
  };
  EXPECT_EQ(cancel(id), cancel(gateway_->random().Uuid()));
  EXPECT_EQ(cancel(id).code, grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext context;
  v1::ListJobsResponse page;
  ASSERT_TRUE(b->ListJobs(&context, {}, &page).ok());
  EXPECT_EQ(page.jobs_size(), 0);
}

TEST_F(Tls, OneRequestIdOfTwoCallersIsTwoJobs) {
  auto a = StubWith(authority_.Issue("x", "DNS:a.example"));
  auto b = StubWith(authority_.Issue("x", "DNS:b.example"));
  const v1::SubmitEditRequest request = gateway_->Good();
  v1::Job job_a, job_b;
  grpc::ClientContext context_a, context_b;
  ASSERT_TRUE(a->SubmitEdit(&context_a, request, &job_a).ok());
  ASSERT_TRUE(b->SubmitEdit(&context_b, request, &job_b).ok());
  EXPECT_NE(job_a.id(), job_b.id());
}

TEST_F(Tls, ACertificateWithoutAUsableNameIsNobody) {
  auto nobody = StubWith(authority_.Issue("cert:spiffe://td/a", ""));
  const Failure failure = Get(*nobody, "x");
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(failure.reason, "UNAUTHENTICATED");
  EXPECT_EQ(FailureOf(WatchToEnd(*nobody, "x").status).reason, "UNAUTHENTICATED");
}

TEST_F(Tls, NoCertificateOrAForeignOneGetsNoAnswer) {
  EXPECT_EQ(Get(*StubWith({}), "x").code, grpc::StatusCode::UNAVAILABLE);
  TestAuthority other;
  EXPECT_EQ(Get(*StubWith(other.Issue("x", "DNS:a.example")), "x").code,
            grpc::StatusCode::UNAVAILABLE);
  auto plain = v1::EditService::NewStub(
      grpc::CreateChannel(gateway_->address(), grpc::InsecureChannelCredentials()));
  EXPECT_EQ(Get(*plain, "x").code, grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Tls, ANewClientAuthorityIsTakenWithoutARestart) {
  TestAuthority other;
  const PemPair client = other.Issue("x", "DNS:new.example");
  EXPECT_EQ(Get(*StubWith(client), "x").code, grpc::StatusCode::UNAVAILABLE);
  WriteFile(Path("clients.pem"), authority_.certificate() + other.certificate());
  EXPECT_TRUE(
      Eventually([&] { return Get(*StubWith(client), "x").code == grpc::StatusCode::NOT_FOUND; },
                 absl::Seconds(30)));
}

TEST_F(Tls, MissingOrForeignFilesAreRefusedAtTheStart) {
  GatewayOptions options;
  options.server.tls = TlsFiles{Path("server.pem"), Path("none"), Path("clients.pem")};
  EXPECT_EQ(Gateway(options).started().code(), absl::StatusCode::kInvalidArgument);
  WriteFile(Path("empty"), "");
  options.server.tls = TlsFiles{Path("server.pem"), Path("server.key"), Path("empty")};
  EXPECT_EQ(Gateway(options).started().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lumaedit

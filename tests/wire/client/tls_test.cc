// The client's TLS settings against a server that requires client certificates.

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "client/client.h"
#include "tests/fakes/temp_folder.h"
#include "tests/wire/client/scripted_gateway.h"

namespace lumaedit::client {
namespace {

using ::testing::HasSubstr;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Certificates made once for all tests of this file, in a folder that goes with them.
class Certificates {
 public:
  Certificates() {
    // Two authorities; a server and a client certificate of the first.
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca "
        "-keyout ca.key -out ca.pem");
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=no "
        "-keyout other.key -out other.pem");
    Sign("server", "subjectAltName=IP:127.0.0.1,DNS:gateway.test");
    Sign("client", "subjectAltName=DNS:caller.test");
  }

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  void Run(const std::string& command) {
    const std::string line = "cd " + folder_.path() + " && " + command + " 2>/dev/null";
    ASSERT_EQ(std::system(line.c_str()), 0) << command;
  }
  void Sign(const std::string& name, const std::string& extension) {
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".csr");
    std::ofstream(folder_ / (name + ".ext")) << extension;
    Run("openssl x509 -req -days 2 -in " + name + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial" +
        " -extfile " + name + ".ext -out " + name + ".pem");
  }

  TempFolder folder_;
};

class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { certificates_ = new Certificates(); }
  static void TearDownTestSuite() {
    delete certificates_;
    certificates_ = nullptr;
  }

  void SetUp() override {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = ReadAll(*certificates_ / "ca.pem");
    options.pem_key_cert_pairs.push_back(
        {ReadAll(*certificates_ / "server.key"), ReadAll(*certificates_ / "server.pem")});
    gateway_ = std::make_unique<ScriptedGateway>(grpc::SslServerCredentials(options));
    gateway_->on_get = [](const std::string& id, v1::Job* job) {
      job->set_id(id);
      return grpc::Status::OK;
    };
    connection_.address = gateway_->address();
    connection_.tls_ca_file = *certificates_ / "ca.pem";
    connection_.tls_cert_file = *certificates_ / "client.pem";
    connection_.tls_key_file = *certificates_ / "client.key";
    connection_.connect_timeout = absl::Seconds(10);
  }

  Result<v1::Job> Get() {
    ClientOptions options;
    options.connection = connection_;
    const auto client = Client::Create(options);
    if (!client.ok()) return client.error();
    return (*client)->Get("a");
  }
  // What no time would help is given little.
  Result<v1::Job> GetInVain() {
    connection_.connect_timeout = absl::Milliseconds(500);
    return Get();
  }

  static Certificates* certificates_;
  std::unique_ptr<ScriptedGateway> gateway_;
  ConnectionOptions connection_;
};

Certificates* TlsTest::certificates_ = nullptr;

TEST_F(TlsTest, ConnectsWithItsCertificate) {
  const auto job = Get();
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_EQ(job->id(), "a");
}

TEST_F(TlsTest, IsRefusedWithoutACertificate) {
  connection_.tls_cert_file.clear();
  connection_.tls_key_file.clear();
  const auto job = GetInVain();
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, DoesNotTrustAnotherAuthority) {
  connection_.tls_ca_file = *certificates_ / "other.pem";
  const auto job = GetInVain();
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, ChecksTheServersName) {
  connection_.tls_server_name = "elsewhere.test";
  EXPECT_FALSE(Get().ok());
  connection_.tls_server_name = "gateway.test";
  EXPECT_TRUE(Get().ok());
}

TEST_F(TlsTest, FilesThatCannotServeAreRefusedBeforeAnyCall) {
  connection_.tls_key_file.clear();
  EXPECT_THAT(Get().error().message, HasSubstr("together"));
  connection_.tls_key_file = *certificates_ / "none.key";
  EXPECT_THAT(Get().error().message, HasSubstr("none.key"));
}

}  // namespace
}  // namespace lumaedit::client

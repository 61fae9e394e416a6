#include "client/connection.h"

#include <grpcpp/create_channel.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/deadline.h"

namespace lumaedit::client {
namespace {

// How soon a pause notices that it should stop.
constexpr absl::Duration kPauseSlice = absl::Milliseconds(50);

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.str().empty()) {
    return LocalError(absl::StatusCode::kInvalidArgument,
                      absl::StrCat("cannot read ", path, ", or it is empty"));
  }
  return text.str();
}

// "host" of "dns:///host:port", "host:port", "[::1]:port".
std::string HostOf(absl::string_view address) {
  for (const absl::string_view scheme : {"dns:///", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&address, scheme)) break;
  }
  if (absl::ConsumePrefix(&address, "[")) {
    return std::string(address.substr(0, address.find(']')));
  }
  return std::string(address.substr(0, address.find(':')));
}

bool IsIpv4Loopback(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  int number = 0;
  return parts.size() == 4 && parts[0] == "127" &&
         std::all_of(parts.begin(), parts.end(), [&](absl::string_view part) {
           return absl::SimpleAtoi(part, &number) && number >= 0 && number <= 255;
         });
}

Result<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ConnectionOptions& options) {
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return LocalError(absl::StatusCode::kInvalidArgument,
                      "a client certificate and its key must be given together");
  }
  const bool any_file = !options.tls_ca_file.empty() || !options.tls_cert_file.empty();
  if (!any_file && IsLoopback(options.address)) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions tls;
  const std::pair<const std::string*, std::string*> files[] = {
      {&options.tls_ca_file, &tls.pem_root_certs},
      {&options.tls_cert_file, &tls.pem_cert_chain},
      {&options.tls_key_file, &tls.pem_private_key}};
  for (const auto& [path, target] : files) {
    if (path->empty()) continue;
    Result<std::string> text = ReadFile(*path);
    if (!text.ok()) return text.error();
    *target = std::move(*text);
  }
  return grpc::SslCredentials(tls);
}

}  // namespace

bool IsLoopback(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const std::string host = HostOf(address);
  return host == "localhost" || host == "::1" || IsIpv4Loopback(host);
}

Result<std::shared_ptr<Connection>> Connection::Create(const ConnectionOptions& options) {
  if (options.address.empty()) {
    return LocalError(absl::StatusCode::kInvalidArgument, "the gateway's address is empty");
  }
  auto credentials = MakeCredentials(options);
  if (!credentials.ok()) return credentials.error();
  return std::shared_ptr<Connection>(new Connection(options, std::move(*credentials)));
}

Connection::Connection(const ConnectionOptions& options,
                       std::shared_ptr<grpc::ChannelCredentials> credentials)
    : options_(options), credentials_(std::move(credentials)), line_(MakeLine(1)) {}

Connection::Line Connection::MakeLine(int number) const {
  grpc::ChannelArguments arguments;
  // Tries are made again here, where the rules are known, and not a second time inside gRPC.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Without its own pool a new channel would share the dead connection of the old one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC's own cap is two minutes: too long to notice that a gateway is back.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(
                       std::clamp(options_.connect_timeout, absl::Seconds(1), absl::Hours(1)))));
  if (!options_.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(options_.tls_server_name);
  }
  Line line;
  line.channel = grpc::CreateCustomChannel(options_.address, credentials_, arguments);
  line.stub = v1::EditService::NewStub(line.channel);
  line.number = number;
  return line;
}

Connection::Line Connection::Current() const {
  const std::lock_guard lock(mutex_);
  return line_;
}

void Connection::Replace(int number) {
  const std::lock_guard lock(mutex_);
  if (line_.number == number) line_ = MakeLine(number + 1);
}

// gRPC 1.51 reads from a connection that is being made only while somebody waits on its channel,
// else once in 5 s; after a failed try calls fail at once and do not wait. A TLS handshake needs
// several reads, so without this it would outlast the connect timeout every time.
bool Connection::Pause(absl::Duration duration, const std::stop_token& stop) const {
  const Line line = Current();
  const Deadline end = Deadline::After(duration);
  while (!stop.stop_requested() && !end.Passed()) {
    const grpc_connectivity_state state = line.channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return WaitFor(end.Left(), stop);
    line.channel->WaitForStateChange(state, GprAfter(std::min(end.Left(), kPauseSlice)));
  }
  return !stop.stop_requested();
}

}  // namespace lumaedit::client

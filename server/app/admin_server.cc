#include "server/app/admin_server.h"

#include <civetweb.h>

#include <cstring>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lumaedit {
namespace {

constexpr std::size_t kMostBody = 64 * 1024;
constexpr int kCallTimeoutMs = 30'000;

// CivetWeb has one count of its users.
struct Library {
  Library() { mg_init_library(0); }
  ~Library() { mg_exit_library(); }
};

void UseLibrary() { static const Library library; }

std::string ReadBody(mg_connection* connection, std::size_t most) {
  std::string body;
  char buffer[4096];
  while (body.size() < most) {
    const int count = mg_read(connection, buffer, std::min(sizeof buffer, most - body.size()));
    if (count <= 0) break;
    body.append(buffer, static_cast<std::size_t>(count));
  }
  return body;
}

void Send(mg_connection* connection, const AdminAnswer& answer, bool with_body) {
  const std::string head = absl::StrCat(
      "HTTP/1.1 ", answer.status, " ", mg_get_response_code_text(connection, answer.status),
      "\r\nContent-Type: ", answer.content_type, "\r\nContent-Length: ", answer.body.size(),
      "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, answer.body.data(), answer.body.size());
}

AdminAnswer Plain(int status, std::string text) {
  return {status, "text/plain; charset=utf-8", std::move(text)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const Address& listen,
                                                                Handler handler, Log& log) {
  UseLibrary();
  std::unique_ptr<AdminServer> server(new AdminServer(std::move(handler), log));
  mg_callbacks callbacks;
  std::memset(&callbacks, 0, sizeof callbacks);
  callbacks.log_message = OnMessage;
  const std::string host = listen.host == "localhost" ? "127.0.0.1" : listen.host;
  const std::string address = Address{host, listen.port}.ToString();
  const char* options[] = {
      "listening_ports", address.c_str(),     "num_threads", "4",    "request_timeout_ms",
      "10000",           "enable_keep_alive", "no",          nullptr};
  server->context_ = mg_start(&callbacks, server.get(), options);
  mg_server_port port;
  std::memset(&port, 0, sizeof port);
  if (server->context_ == nullptr || mg_get_server_ports(server->context_, 1, &port) != 1) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address, ": another process may use the port, or it needs rights"));
  }
  server->port_ = port.port;
  mg_set_request_handler(server->context_, "**", OnRequest, server.get());
  return server;
}

AdminServer::~AdminServer() {
  if (context_ != nullptr) mg_stop(context_);
}

int AdminServer::OnRequest(mg_connection* connection, void* server) {
  const AdminAnswer answer = static_cast<const AdminServer*>(server)->Answer(connection);
  const char* method = mg_get_request_info(connection)->request_method;
  Send(connection, answer, std::strcmp(method, "HEAD") != 0);
  return answer.status;
}

int AdminServer::OnMessage(const mg_connection* connection, const char* message) {
  const mg_context* context = mg_get_context(connection);
  const auto* server = static_cast<const AdminServer*>(mg_get_user_data(context));
  if (server != nullptr) server->log_.Warning("admin_http", {{"message", message}});
  return 1;
}

AdminAnswer AdminServer::Answer(mg_connection* connection) const {
  // A page in a browser on this machine may send requests here; its browser says so.
  if (mg_get_header(connection, "Origin") != nullptr ||
      mg_get_header(connection, "Sec-Fetch-Site") != nullptr) {
    return Plain(403, "not for browsers\n");
  }
  const mg_request_info* info = mg_get_request_info(connection);
  AdminRequest request;
  request.method = info->request_method;
  request.path = info->local_uri == nullptr ? "" : info->local_uri;
  if (info->content_length > static_cast<long long>(kMostBody)) {
    return Plain(413, "the body is too long\n");
  }
  request.body = ReadBody(connection, kMostBody);
  try {
    return handler_(request);
  } catch (const std::exception& error) {
    // CivetWeb is C: an exception may not pass through it.
    log_.Error("admin_call_failed", {{"path", request.path}, {"error", error.what()}});
    return Plain(500, "it failed; the log says why\n");
  }
}

absl::StatusOr<AdminAnswer> CallAdmin(const Address& server, const AdminRequest& request) {
  UseLibrary();
  char error[256] = "";
  mg_connection* connection =
      mg_connect_client(server.host.c_str(), server.port, /*use_ssl=*/0, error, sizeof error);
  if (connection == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("no gateway answers at ", server.ToString(), ": ", error));
  }
  const std::string head =
      absl::StrCat(request.method, " ", request.path, " HTTP/1.1\r\nHost: ", server.ToString(),
                   "\r\nContent-Length: ", request.body.size(), "\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  if (!request.body.empty()) mg_write(connection, request.body.data(), request.body.size());
  AdminAnswer answer;
  if (mg_get_response(connection, error, sizeof error, kCallTimeoutMs) < 0) {
    mg_close_connection(connection);
    return absl::UnavailableError(absl::StrCat("no answer from ", server.ToString(), ": ", error));
  }
  answer.status = mg_get_response_info(connection)->status_code;
  answer.body = ReadBody(connection, std::size_t{16} << 20);
  mg_close_connection(connection);
  return answer;
}

}  // namespace lumaedit

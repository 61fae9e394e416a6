// A small HTTP server for those who run the gateway: CivetWeb with one handler.
//
// Owned by Application. Without authentication, so it listens on loopback only (config.cc sees to
// it), and refuses what a browser sends for a page. The handler runs on the server's threads, a few
// at a time, and may block for seconds.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/app/settings.h"
#include "server/base/log.h"

struct mg_callbacks;
struct mg_connection;
struct mg_context;

namespace lumaedit {

struct AdminRequest {
  std::string method;  // "GET"
  std::string path;    // "/metrics"
  std::string body;    // at most 64 KiB
};

struct AdminAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class AdminServer {
 public:
  using Handler = std::function<AdminAnswer(const AdminRequest& request)>;

  // UNAVAILABLE: the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const Address& listen, Handler handler,
                                                            Log& log);
  // Waits for the calls that are under way.
  ~AdminServer();

  int port() const { return port_; }

 private:
  AdminServer(Handler handler, Log& log) : handler_(std::move(handler)), log_(log) {}

  static int OnRequest(mg_connection* connection, void* server);
  static int OnMessage(const mg_connection* connection, const char* message);
  AdminAnswer Answer(mg_connection* connection) const;

  const Handler handler_;
  Log& log_;
  mg_context* context_ = nullptr;
  int port_ = 0;
};

// One call of such a server, for the subcommands. UNAVAILABLE: nobody answers.
absl::StatusOr<AdminAnswer> CallAdmin(const Address& server, const AdminRequest& request);

}  // namespace lumaedit

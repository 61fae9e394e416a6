// Sockets: HTTPS for the imitated queue, plain HTTP for the control interface. It knows nothing of
// what is served. One thread runs everything: construct, Run, and the handlers' calls.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "exchange.h"

namespace lumaedit::simulator {

struct ServerSettings {
  // host:port, port 0 = any free one.
  std::string listen;
  std::string control_listen;
  // PEM texts.
  std::string certificate;
  std::string key;
  // Real seconds.
  double keep_alive_seconds = 75.0;
  // Of each connection to the queue; 0 = as fast as it goes.
  uint64_t line_bytes_per_second = 0;
  bool verbose = false;
};

class Server {
 public:
  // Listens at once; throws std::exception when it cannot. The handlers must outlive this.
  Server(const ServerSettings& settings, Handler& queue, Handler& control);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  uint16_t control_port() const;
  // Answers held until released go on.
  void ReleaseHeld();
  // Serves until SIGTERM or SIGINT.
  void Run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lumaedit::simulator

// A server on loopback that does to each connection what a test's script says, blocking calls in a
// thread a connection. Counts what it decrypted, so that a test sees what was really sent.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tests/wire/upstream/certificates.h"

namespace lumaedit {

// One connection as a script sees it. Calls on a dead connection do nothing and read nothing.
class ServerPeer {
 public:
  virtual ~ServerPeer() = default;
  virtual int number() const = 0;  // of the connection, from 0
  // The request's head with its empty line; empty at the end of the connection.
  virtual std::string ReadHead() = 0;
  // Up to `size` bytes of the body; fewer only where the connection ended.
  virtual std::string ReadBody(std::int64_t size) = 0;
  // False: the connection is dead.
  virtual bool Write(std::string_view bytes) = 0;
  virtual void Reset() = 0;            // RST
  virtual void Close() = 0;            // FIN, without TLS's farewell
  virtual void WaitUntilClosed() = 0;  // by the client
  virtual void Hold() = 0;             // reads nothing and stays until the server stops
};

struct ServerOptions {
  bool tls = true;
  PemPair identity;
  bool only_tls_1_1 = false;
};

class ScriptedServer {
 public:
  using Script = std::function<void(ServerPeer&)>;

  ScriptedServer(ServerOptions options, Script script);
  ~ScriptedServer();

  int port() const;
  int connections() const;
  // Bytes that came through TLS (or plainly): heads and bodies.
  std::int64_t received_bytes() const;
  // Bytes that ReadBody has seen so far.
  std::int64_t body_bytes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The value of a header in a head, in lower case names; empty when it is missing.
std::string HeaderOf(const std::string& head, const std::string& name);

}  // namespace lumaedit

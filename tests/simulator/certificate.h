// A throw-away certificate authority and a server certificate under it, made at start, so that
// clients can check the server's name as they would in earnest. OpenSSL errors are thrown as
// std::runtime_error.
#pragma once

#include <string>
#include <vector>

namespace lumaedit::simulator {

// PEM texts.
struct Identity {
  std::string ca;
  std::string certificate;
  std::string key;
};

// For localhost, 127.0.0.1 and `extra_names` (DNS names or IP addresses); valid for 30 days.
Identity MakeIdentity(const std::vector<std::string>& extra_names);

}  // namespace lumaedit::simulator

// Certificates for tests, made on the spot: an authority and what it signs.
#pragma once

#include <memory>
#include <string>

namespace lumaedit {

struct PemPair {
  std::string certificate;
  std::string key;
};

struct LeafOptions {
  std::string subject_alt_name =
      "IP:127.0.0.1,DNS:localhost";  // as OpenSSL's configuration says it
  long valid_from_seconds = -3600;   // from now
  long valid_to_seconds = 3600;
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string certificate() const;
  PemPair Issue(const LeafOptions& options) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Signed by itself, in no authority's name.
PemPair SelfSigned(const LeafOptions& options);

}  // namespace lumaedit

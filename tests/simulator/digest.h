// SHA-256 and a gzip container, for payload fingerprints and for the gzip fault. Stateless.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace lumaedit::simulator {

// Lower-case hexadecimal SHA-256.
std::string Sha256Hex(std::string_view bytes);

// SHA-256 of a string fed in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// `bytes` as a gzip stream of stored (uncompressed) blocks, RFC 1951 and 1952.
std::string GzipStored(std::string_view bytes);

}  // namespace lumaedit::simulator

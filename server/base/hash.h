// SHA-256 over bytes, for fingerprints and for names of secrets. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace lumaedit {

// Lower-case hex of SHA-256: 64 characters.
std::string Sha256Hex(std::string_view bytes);

// The same for bytes that come in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;

  void Update(std::string_view bytes);
  // Ends the hash; called once.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace lumaedit

// Base64 (RFC 4648 section 4) in pieces, by OpenSSL. One thread a decoder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lumaedit {

// Bytes that the encoding of `size` bytes takes, padding included.
std::int64_t Base64Size(std::int64_t size);

// Pieces may be joined when every piece but the last is a multiple of 3 bytes.
std::string Base64Encode(std::string_view bytes);

// Takes text in pieces of any size, gives decoded bytes. No white space, no data URI.
class Base64Decoder {
 public:
  // Appends what could be decoded; false: this is no base64, for good.
  bool Write(std::string_view text, std::string& decoded);
  // False: the text was not complete.
  bool Finish() const { return !failed_ && rest_.empty(); }

 private:
  std::string rest_;  // fewer than 4 characters
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace lumaedit

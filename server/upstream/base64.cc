#include "server/upstream/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace lumaedit {
namespace {

bool IsBase64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// `text` is a multiple of 4 characters; padding only at its end.
bool DecodeBlock(std::string_view text, std::size_t padding, std::string& decoded) {
  const std::size_t before = decoded.size();
  decoded.resize(before + text.size() / 4 * 3);
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data() + before),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return false;
  // OpenSSL counts the bytes that padding stands for.
  decoded.resize(before + static_cast<std::size_t>(size) - padding);
  return true;
}

}  // namespace

std::int64_t Base64Size(std::int64_t size) { return (size + 2) / 3 * 4; }

std::string Base64Encode(std::string_view bytes) {
  // OpenSSL writes a zero byte behind the text.
  std::string text(static_cast<std::size_t>(Base64Size(bytes.size())) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

bool Base64Decoder::Write(std::string_view text, std::string& decoded) {
  if (failed_ || text.empty()) return !failed_;
  rest_.append(text);
  const std::size_t whole = rest_.size() / 4 * 4;
  const std::string_view ready = std::string_view(rest_).substr(0, whole);
  // OpenSSL strips white space and more at both ends: what it would forgive is refused here.
  std::size_t letters = 0;
  while (letters < rest_.size() && IsBase64(rest_[letters])) ++letters;
  const std::size_t others = rest_.size() - letters;
  const bool only_padding = std::all_of(rest_.begin() + static_cast<std::ptrdiff_t>(letters),
                                        rest_.end(), [](char c) { return c == '='; });
  if (ended_ || !only_padding || others > 2 || (others > 0 && letters % 4 < 2) ||
      (others > 0 && letters % 4 + others > 4)) {
    failed_ = true;
    return false;
  }
  if (!ready.empty()) {
    const std::size_t padding = ready.size() > letters ? ready.size() - letters : 0;
    ended_ = padding > 0;
    failed_ = !DecodeBlock(ready, padding, decoded);
    rest_.erase(0, whole);
  }
  return !failed_;
}

}  // namespace lumaedit

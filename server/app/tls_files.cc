#include "server/app/tls_files.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace lumaedit {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// The library's reason, which names no secret; empties its queue, which is per thread.
std::string LastReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "not readable as PEM" : reason;
  ERR_clear_error();
  return text;
}

}  // namespace

std::string WhyNotAServerPair(const std::string& cert_file, const std::string& key_file) {
  const SslContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  // An encrypted key would otherwise ask for its password on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1) {
    return absl::StrCat("'", cert_file, "' holds no certificate chain: ", LastReason());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return absl::StrCat("'", key_file, "' holds no key for '", cert_file, "': ", LastReason());
  }
  return "";
}

std::string WhyNotACaFile(const std::string& ca_file) {
  const SslContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
    return absl::StrCat("'", ca_file, "' holds no certificates: ", LastReason());
  }
  return "";
}

}  // namespace lumaedit

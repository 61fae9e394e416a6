#include "certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cctype>
#include <memory>
#include <stdexcept>

namespace lumaedit::simulator {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

void Check(bool good) {
  if (!good) throw std::runtime_error("cannot make a certificate");
}

Key MakeKey() {
  Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  Check(key != nullptr);
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  Check(extension != nullptr);
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  Check(added == 1);
}

Certificate StartCertificate(const char* name, EVP_PKEY* key) {
  Certificate out(X509_new(), X509_free);
  Check(out != nullptr);
  X509_set_version(out.get(), 2);
  unsigned char serial[8];
  Check(RAND_bytes(serial, sizeof serial) == 1);
  uint64_t number = 0;
  for (const unsigned char byte : serial) number = (number << 8) | byte;
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), number >> 1);
  // An hour back, for clients whose clock is behind.
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 30L * 24 * 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  Check(X509_set_pubkey(out.get(), key) == 1);
  return out;
}

template <typename Write>
std::string ToPem(Write write) {
  Memory memory(BIO_new(BIO_s_mem()), BIO_free);
  Check(memory != nullptr && write(memory.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

bool LooksLikeAddress(const std::string& name) {
  if (name.find(':') != std::string::npos) return true;
  for (const char c : name) {
    if (c != '.' && !std::isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace

Identity MakeIdentity(const std::vector<std::string>& extra_names) {
  const Key ca_key = MakeKey();
  const Certificate ca = StartCertificate("gmi-simulator throw-away CA", ca_key.get());
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  AddExtension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  Check(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) != 0);

  const Key key = MakeKey();
  const Certificate server = StartCertificate("localhost", key.get());
  X509_set_issuer_name(server.get(), X509_get_subject_name(ca.get()));
  std::string names = "DNS:localhost,IP:127.0.0.1";
  for (const std::string& name : extra_names) {
    names += (LooksLikeAddress(name) ? ",IP:" : ",DNS:") + name;
  }
  AddExtension(server.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(server.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(server.get(), ca.get(), NID_ext_key_usage, "serverAuth");
  AddExtension(server.get(), ca.get(), NID_subject_alt_name, names);
  AddExtension(server.get(), ca.get(), NID_subject_key_identifier, "hash");
  AddExtension(server.get(), ca.get(), NID_authority_key_identifier, "keyid");
  Check(X509_sign(server.get(), ca_key.get(), EVP_sha256()) != 0);

  Identity out;
  out.ca = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, ca.get()); });
  out.certificate = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, server.get()); });
  out.key = ToPem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return out;
}

}  // namespace lumaedit::simulator

#include "tests/wire/rpc/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <fstream>

#include "server/base/random.h"

namespace lumaedit {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Bytes = std::unique_ptr<BIO, decltype(&BIO_free)>;

Key NewKey() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

void AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `signer`, or by itself where `issuer` is null.
Certificate NewCertificate(EVP_PKEY* key, const std::string& common_name, X509* issuer,
                           EVP_PKEY* signer, const std::string& alternative_names) {
  Certificate out(X509_new(), &X509_free);
  X509_set_version(out.get(), 2);
  std::uint32_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 24 * 3600);
  X509_set_pubkey(out.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(out.get(), X509_get_subject_name(issuer == nullptr ? out.get() : issuer));
  AddExtension(out.get(), issuer == nullptr ? out.get() : issuer, NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!alternative_names.empty()) {
    AddExtension(out.get(), issuer, NID_subject_alt_name, alternative_names);
  }
  X509_sign(out.get(), signer, EVP_sha256());
  return out;
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string PemOf(X509* certificate) {
  Bytes bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(bio.get(), certificate);
  return Text(bio.get());
}

std::string PemOf(EVP_PKEY* key) {
  Bytes bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return Text(bio.get());
}

}  // namespace

struct TestAuthority::State {
  Key key = NewKey();
  // A name of its own: among authorities of one name OpenSSL tries the first alone.
  std::string name = "test authority " + SystemRandom().Uuid();
  Certificate certificate = NewCertificate(key.get(), name, nullptr, key.get(), "");
};

TestAuthority::TestAuthority() : state_(std::make_unique<State>()) {}
TestAuthority::~TestAuthority() = default;

std::string TestAuthority::certificate() const { return PemOf(state_->certificate.get()); }

PemPair TestAuthority::Issue(const std::string& common_name,
                             const std::string& subject_alternative_names) const {
  const Key key = NewKey();
  const Certificate certificate = NewCertificate(key.get(), common_name, state_->certificate.get(),
                                                 state_->key.get(), subject_alternative_names);
  return {PemOf(certificate.get()), PemOf(key.get())};
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace lumaedit

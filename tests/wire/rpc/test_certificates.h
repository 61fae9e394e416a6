// A throw-away certificate authority for tests. Files live as long as the folder they are put into.
#pragma once

#include <memory>
#include <string>

namespace lumaedit {

struct PemPair {
  std::string certificate;
  std::string key;
};

class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // PEM of the authority's own certificate.
  std::string certificate() const;

  // `subject_alternative_names` in OpenSSL's form: "DNS:localhost,IP:127.0.0.1"; empty: none.
  PemPair Issue(const std::string& common_name, const std::string& subject_alternative_names) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

void WriteFile(const std::string& path, const std::string& text);

}  // namespace lumaedit

// Which upstream account a key belongs to, and which key may be asked about what (protocol.md
// section 4, "Upstream account").
//
// A key stands under a hash of itself until it reads a record that we own; then everything under
// the hash moves to the account that the record names. Owned by EngineContext; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "server/base/log.h"
#include "server/base/worker.h"
#include "server/job/job_store.h"
#include "server/job/upstream.h"

namespace lumaedit {

class Accounts {
 public:
  struct Deps {
    JobStore& store;
    Worker& store_worker;
    Upstream& upstream;
    Upstream* previous;  // with the key before; null: none is given
    Log& log;
  };
  explicit Accounts(Deps deps) : deps_(deps) {}

  // What was learned before; at start.
  boost::asio::awaitable<absl::Status> Load();

  // The account that POSTs are made under now.
  std::string Current() const { return Canonical(deps_.upstream.Account()); }
  // What a name that something was written under has turned out to be.
  std::string Canonical(const std::string& name) const;
  // False: `account` is a key's own name still, and any other account may turn out to be the same.
  static bool IsLearned(const std::string& account);

  // Who is asked about what stands under `account`.
  struct Reader {
    Upstream& upstream;
    // The name of its key when it was chosen. A key file may change at any time: what names another
    // key was read for nobody.
    std::string key;
    // False: the key is of another account or of one not learned, so that absence proves nothing.
    bool same_account;
  };
  Reader ReaderFor(const std::string& account) const;
  // Is the key of this name known to be of this account?
  bool IsKeyOf(const std::string& key, const std::string& account) const;

  // The key of this name read a record that a job owns under `owner`. An empty `org_id` is that of
  // the owner.
  boost::asio::awaitable<void> OnOwnedRecord(std::string key, std::string owner,
                                             std::string org_id);
  // The upstream refused the key of this reader: the previous one is not asked again until it
  // changes.
  void OnKeyRefused(const Reader& reader);

 private:
  boost::asio::awaitable<void> Move(std::string name, std::string account);

  const Deps deps_;
  std::map<std::string, std::string> names_;
  std::set<std::string> moving_;
  std::set<std::pair<std::string, std::string>> alarmed_;
  std::string refused_previous_;  // the name of the previous key that was refused
};

}  // namespace lumaedit

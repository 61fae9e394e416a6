#include "server/job/accounts.h"

#include "absl/strings/match.h"

namespace lumaedit {

namespace asio = boost::asio;

asio::awaitable<absl::Status> Accounts::Load() {
  const auto names =
      co_await Offload(deps_.store_worker, [this] { return deps_.store.AccountNames(); });
  if (!names.ok()) co_return names.status();
  for (const AccountName& name : *names) names_[name.name] = name.account;
  co_return absl::OkStatus();
}

std::string Accounts::Canonical(const std::string& name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? name : it->second;
}

bool Accounts::IsLearned(const std::string& account) {
  return !absl::StartsWith(account, kKeyNamePrefix);
}

Accounts::Reader Accounts::ReaderFor(const std::string& account) const {
  const std::string key = deps_.upstream.Account();
  if (IsKeyOf(key, account)) return {deps_.upstream, key, true};
  const std::string previous = deps_.previous == nullptr ? "" : deps_.previous->Account();
  if (previous.empty() || previous == refused_previous_) return {deps_.upstream, key, false};
  if (IsKeyOf(previous, account)) return {*deps_.previous, previous, true};
  // A key that is not learned may belong to any account: asking is how that is found out.
  if (!IsLearned(Canonical(previous))) return {*deps_.previous, previous, false};
  return {deps_.upstream, key, false};
}

bool Accounts::IsKeyOf(const std::string& key, const std::string& account) const {
  return !key.empty() && Canonical(key) == Canonical(account);
}

void Accounts::OnKeyRefused(const Reader& reader) {
  if (&reader.upstream == deps_.previous) refused_previous_ = reader.key;
}

asio::awaitable<void> Accounts::OnOwnedRecord(std::string key, std::string owner,
                                              std::string org_id) {
  const std::string of_reader = Canonical(key);
  const std::string of_owner = Canonical(owner);
  const std::string account = org_id.empty() || !IsLearned(org_id) ? of_owner : Canonical(org_id);
  for (const std::string& name : {of_reader, of_owner}) {
    if (name == account || !IsLearned(name)) continue;
    // What was learned does not change: a record that says otherwise is wrong, or the upstream is.
    if (alarmed_.insert({name, account}).second) {
      deps_.log.Error("upstream_account_differs", {{"known", name}, {"read", account}});
    }
    co_return;
  }
  if (of_reader != account) co_await Move(of_reader, account);
  if (of_owner != account && of_owner != of_reader) co_await Move(of_owner, account);
}

asio::awaitable<void> Accounts::Move(std::string name, std::string account) {
  if (!moving_.insert(name).second) co_return;
  const absl::Status moved = co_await Offload(deps_.store_worker, [this, &name, &account] {
    return deps_.store.MoveAccount(name, account);
  });
  moving_.erase(name);
  if (!moved.ok()) {
    // It stays under its name, which is asked about as before. A store that was not there is asked
    // again at the next record.
    if (alarmed_.insert({name, account}).second) {
      deps_.log.Error("upstream_account_not_moved",
                      {{"name", name}, {"error", std::string(moved.message())}});
    }
    co_return;
  }
  for (auto& [known, turned_out] : names_) {
    if (turned_out == name) turned_out = account;
  }
  names_[name] = account;
  deps_.log.Info("upstream_account_learned", {{"name", name}, {"account", account}});
}

}  // namespace lumaedit

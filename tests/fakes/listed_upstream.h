// A long list of records and nothing else, quick enough for ten thousand of them: for tests of who
// asks what, how often and at what price. Stops a sweep as the real reader does.
//
// Owned by the test; the thread that steps the io_context. Takes no POST.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/base/clock.h"
#include "server/job/upstream.h"

namespace lumaedit {

class ListedUpstream final : public Upstream {
 public:
  struct Record {
    std::string id;
    std::string word = "processing";
    std::int64_t bytes = 1000;
    bool unreadable = false;  // ends the page like a fat one, and shows neither id nor state
    bool by_id = true;        // else 404
    bool bare = false;        // listed without what belongs to its end
    bool echo_first = false;  // before id and state
  };
  ListedUpstream(const boost::asio::any_io_executor& executor, Clock& clock)
      : executor_(executor), clock_(clock) {}

  // --- Script -----------------------------------------------------------------------------------
  std::deque<Record> records;  // newest first
  std::string key = "account-1";
  absl::Duration takes = absl::Milliseconds(20);
  absl::Duration list_takes = absl::ZeroDuration();  // more than that
  bool says_has_more = true;
  int most_records = 100;
  // Set: may answer a list in the place of the records.
  std::function<std::optional<ListResult>(const ListQuery& query)> on_list;
  // Called before each answer, once it was asked for.
  std::function<void()> meanwhile;
  // Called whenever the account is asked for; may throw.
  std::function<void()> on_account;

  // --- What was seen ----------------------------------------------------------------------------
  struct Request {
    absl::Duration time;  // uptime
    bool is_list = false;
    int offset = 0;
    int limit = 0;
    int records = 0;
    std::int64_t bytes = 0;
    std::string id = {};  // not of a list
  };
  std::vector<Request> requests;
  // When the state of each record was told.
  std::unordered_map<std::string, std::vector<absl::Duration>> told;
  void Forget() { requests.clear(), told.clear(); }
  std::int64_t bytes() const;
  int lists() const;
  int gets() const { return static_cast<int>(requests.size()) - lists(); }

  // --- Upstream ---------------------------------------------------------------------------------
  std::string Account() const override {
    if (on_account) on_account();
    return key;
  }
  boost::asio::awaitable<PostResult> Post(PostRequest request, LastByteGate& gate) override;
  boost::asio::awaitable<GetResult> Get(std::string upstream_id) override;
  boost::asio::awaitable<ListResult> List(ListQuery query) override;

 private:
  boost::asio::awaitable<void> Pass(absl::Duration time);
  UpstreamRecord View(const Record& record) const;
  const Record* Find(const std::string& id);

  const boost::asio::any_io_executor executor_;
  Clock& clock_;
  std::unordered_map<std::string, std::size_t> index_;  // where each was last found
};

}  // namespace lumaedit

// GMI Cloud's request queue behind the Upstream port: JSON to values, answers to meaning.
//
// Owned by `app`; every method runs on the I/O thread. Never repeats a POST, never logs, never
// keeps a video: a source is read in slices on `sources_worker` while it is sent.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/base/clock.h"
#include "server/base/secret.h"
#include "server/base/worker.h"
#include "server/job/source_store.h"
#include "server/job/upstream.h"
#include "server/upstream/http_transport.h"

namespace lumaedit {

// Answers with the key of now, so that a changed key file is used without a restart. Cheap: called
// for every request, on the I/O thread.
using KeySource = std::function<Secret()>;

class GmiClient final : public Upstream {
 public:
  // Everything given by reference outlives the client. A long rest of a GET answer, in bytes, is
  // not read where its status is not final.
  struct Parts {
    std::unique_ptr<HttpTransport> transport;
    KeySource key;
    SourceStore& sources;
    Worker& sources_worker;
    Clock& clock;
    std::int64_t long_rest_bytes = 128 * 1024;
  };
  explicit GmiClient(Parts parts);

  // "key:" and 16 hex digits of the key's SHA-256.
  std::string Account() const override;

  boost::asio::awaitable<PostResult> Post(PostRequest request, LastByteGate& gate) override;
  boost::asio::awaitable<GetResult> Get(std::string upstream_id) override;
  boost::asio::awaitable<ListResult> List(ListQuery query) override;

 private:
  absl::Time DateOr(const HttpHead& head, absl::Time otherwise) const;

  Parts parts_;
};

}  // namespace lumaedit

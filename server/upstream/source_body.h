// The body of one POST in slices: the frame's head, the base64 of a stored source, the tail.
//
// Reads the source in slices on a worker and checks it against its announced hash before the end is
// given out. Owned by one call of Post, on the I/O thread.
#pragma once

#include <memory>
#include <string>

#include "server/base/hash.h"
#include "server/base/worker.h"
#include "server/job/source_store.h"
#include "server/upstream/http_transport.h"
#include "server/upstream/payload_writer.h"

namespace lumaedit {

class SourceBody final : public HttpBody {
 public:
  // `source` null: the payload carries no source_data. `worker` outlives the body.
  SourceBody(PayloadFrame frame, std::unique_ptr<SourceReader> source, std::string sha256,
             Worker& worker);

  std::int64_t size() const override;
  boost::asio::awaitable<absl::StatusOr<std::string>> Next() override;

 private:
  PayloadFrame frame_;
  // Shared with the read under way, which may outlive a dropped coroutine.
  std::shared_ptr<SourceReader> source_;
  const std::string sha256_;
  Worker& worker_;
  const std::int64_t source_bytes_;
  const std::int64_t size_;
  std::int64_t offset_ = 0;
  bool head_given_ = false;
  bool tail_given_ = false;
  Sha256Stream hash_;
};

}  // namespace lumaedit

// The body of one POST in slices: the frame's head, the base64 of a stored source, the tail.
//
// A worker reads, hashes and encodes a few slices ahead while the ones before are being sent, so
// that the I/O thread only sends. The source is checked against its announced hash before the end
// is given out. Owned by one call of Post, on the I/O thread.
#pragma once

#include <memory>
#include <string>

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
  ~SourceBody() override;

  std::int64_t size() const override;
  boost::asio::awaitable<absl::StatusOr<std::string>> Next() override;

 private:
  // What the worker has: shared with its task under way, which may outlive a dropped coroutine.
  struct Reading;
  // What it has brought: the I/O thread's.
  struct Ahead;

  void ReadOn(const boost::asio::any_io_executor& executor);

  PayloadFrame frame_;
  Worker& worker_;
  const std::int64_t size_;
  bool head_given_ = false;
  bool tail_given_ = false;
  std::shared_ptr<Reading> reading_;
  std::shared_ptr<Ahead> ahead_;
};

}  // namespace lumaedit

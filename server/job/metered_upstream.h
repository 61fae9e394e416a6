// An Upstream that counts what is asked of another one and how it answers.
//
// Owned by `app`; I/O thread, as the upstream behind it, which outlives it.
#pragma once

#include <string>

#include "server/base/clock.h"
#include "server/job/job_metrics.h"
#include "server/job/upstream.h"

namespace lumaedit {

class MeteredUpstream final : public Upstream {
 public:
  MeteredUpstream(Upstream& upstream, Clock& clock, JobMetrics& metrics)
      : upstream_(upstream), clock_(clock), metrics_(metrics) {}

  std::string Account() const override { return upstream_.Account(); }
  boost::asio::awaitable<PostResult> Post(PostRequest request, LastByteGate& gate) override;
  boost::asio::awaitable<GetResult> Get(std::string upstream_id) override;
  boost::asio::awaitable<ListResult> List(ListQuery query) override;

 private:
  Upstream& upstream_;
  Clock& clock_;
  JobMetrics& metrics_;
};

}  // namespace lumaedit

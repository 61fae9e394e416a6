#include "server/job/metered_upstream.h"

#include <utility>

namespace lumaedit {

namespace asio = boost::asio;

asio::awaitable<PostResult> MeteredUpstream::Post(PostRequest request, LastByteGate& gate) {
  const absl::Duration begun = clock_.Uptime();
  PostResult result = co_await upstream_.Post(std::move(request), gate);
  metrics_.PostEnded(result.last_byte_given, result.fact.kind, clock_.Uptime() - begun);
  co_return result;
}

asio::awaitable<GetResult> MeteredUpstream::Get(std::string upstream_id) {
  const absl::Duration begun = clock_.Uptime();
  GetResult result = co_await upstream_.Get(std::move(upstream_id));
  metrics_.ReadEnded(UpstreamRead::kGet, result.failure, clock_.Uptime() - begun);
  co_return result;
}

asio::awaitable<ListResult> MeteredUpstream::List(ListQuery query) {
  const absl::Duration begun = clock_.Uptime();
  ListResult result = co_await upstream_.List(std::move(query));
  metrics_.ReadEnded(UpstreamRead::kList, result.failure, clock_.Uptime() - begun);
  co_return result;
}

}  // namespace lumaedit

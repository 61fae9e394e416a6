#include "tests/bench/watch/own_bytes.h"

namespace lumaedit::bench {

std::int64_t OwnLiveBytes() { return -1; }

}  // namespace lumaedit::bench

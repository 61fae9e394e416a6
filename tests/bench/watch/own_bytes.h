// How many bytes of operator new are live that neither gRPC nor protobuf asked for. -1 in a program
// that was not linked with own_bytes.cc.
#pragma once

#include <cstdint>

namespace lumaedit::bench {

std::int64_t OwnLiveBytes();

}  // namespace lumaedit::bench

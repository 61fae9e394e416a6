// What the system does with a connection below its socket. A unit of its own, as the kernel's
// header and the C library's both define tcp_info. A system that cannot do it is no failure.
#pragma once

#include <cstdint>

namespace lumaedit::simulator {

// Payload bytes that have gone out, TLS's own among them and those sent again; the rest of what the
// socket took has not left. 0 where that cannot be told.
uint64_t SentBytes(int socket);

// A loopback segment holds 64 KB, a network's 1.4 KB. Of a listening socket, for its connections.
void UseNetworkSegments(int listener);
// No faster than this.
void LimitLine(int socket, uint64_t bytes_per_second);

}  // namespace lumaedit::simulator

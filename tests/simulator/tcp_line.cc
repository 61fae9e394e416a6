#include "tcp_line.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace lumaedit::simulator {

uint64_t SentBytes(int socket) {
  tcp_info info = {};
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  constexpr size_t kEnd = offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent;
  return size < kEnd ? 0 : info.tcpi_bytes_sent;
}

void UseNetworkSegments(int listener) {
  constexpr int kBytes = 1448;
  setsockopt(listener, IPPROTO_TCP, TCP_MAXSEG, &kBytes, sizeof kBytes);
}

void LimitLine(int socket, uint64_t bytes_per_second) {
  setsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, sizeof bytes_per_second);
}

}  // namespace lumaedit::simulator

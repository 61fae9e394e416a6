// The values that stand against known attacks on the packaged gRPC (hardening.md section 2). That
// they work is shown by tests/wire/rpc; that nobody changes them without noticing, here.
#include <gmock/gmock.h>

#include "server/rpc/grpc_server.h"

namespace lumaedit {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(ServerSettings, AreTheOnesOfTheHardeningTable) {
  EXPECT_THAT(
      ChannelArguments(ServerSettings{}),
      UnorderedElementsAre(
          Pair("grpc.max_concurrent_streams", 10'000), Pair("grpc.max_metadata_size", 16'384),
          Pair("grpc.server_handshake_timeout_ms", 10'000),
          Pair("grpc.max_connection_idle_ms", 300'000),
          Pair("grpc.max_connection_age_ms", 1'800'000),  // and no grace
          Pair("grpc.keepalive_time_ms", 60'000), Pair("grpc.keepalive_timeout_ms", 20'000),
          Pair("grpc.keepalive_permit_without_calls", 1),
          Pair("grpc.http2.min_ping_interval_without_data_ms", 10'000),
          Pair("grpc.http2.bdp_probe", 0), Pair("grpc.http2.lookahead_bytes", 1 << 20),
          Pair("grpc.experimental.tcp_max_read_chunk_size", 64 << 10),
          Pair("grpc.so_reuseport", 0)));
  EXPECT_EQ(ServerSettings{}.receive_limit_bytes, 4 * 1024 * 1024 + 64 * 1024);
  EXPECT_EQ(ServerSettings{}.send_limit_bytes, 4 * 1024 * 1024);
  EXPECT_EQ(RpcSettings{}.watches_per_connection, 1000);
  EXPECT_EQ(RpcSettings{}.watches_per_caller, 25'000);
  EXPECT_EQ(RpcSettings{}.most_watches, 50'000);
}

TEST(ServerSettings, LoopbackIsKnown) {
  for (const char* address : {"127.0.0.1:0", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost.example:1", "*:1", ""}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace lumaedit

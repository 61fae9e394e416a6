// The limit of a dispatch: plain_loop PORT CA-FILE BODY-FILE sends the body, which is encoded
// already and lies in memory, in slices of 64 KiB over the TLS stack that the gateway uses.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  namespace asio = boost::asio;
  if (argc != 4) return 2;
  std::ifstream file(argv[3], std::ios::binary);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  asio::io_context io;
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.load_verify_file(argv[2]);
  asio::ssl::stream<asio::ip::tcp::socket> stream(io, tls);
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.next_layer().connect(
      {asio::ip::make_address("127.0.0.1"), static_cast<unsigned short>(std::atoi(argv[1]))});
  stream.next_layer().set_option(asio::ip::tcp::no_delay(true));
  stream.handshake(asio::ssl::stream_base::client);
  const std::string head =
      "POST /requests HTTP/1.1\r\nHost: sink\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n";
  asio::write(stream, asio::buffer(head));
  constexpr std::size_t kSlice = 64 * 1024;
  for (std::size_t at = 0; at < body.size(); at += kSlice) {
    asio::write(stream, asio::buffer(body.data() + at, std::min(kSlice, body.size() - at)));
  }
  char answer[4096];
  return stream.read_some(asio::buffer(answer)) > 0 ? 0 : 1;
}

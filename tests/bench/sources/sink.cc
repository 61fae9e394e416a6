// An upstream that takes any POST as fast as TLS gives it: sink CERTIFICATE KEY
//
// Prints its port, then a line of JSON for each POST that came whole: {"bytes":N,"seconds":S}, from
// the first bytes of the body to the last. A prompt that holds "echo=BYTES" gets a job that runs,
// and whose record echoes so many bytes of source_data: twice while it is processing, then with its
// success. Any other job has succeeded at once. A thread a connection; ends with its parent.
#include <sys/prctl.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Stream = asio::ssl::stream<asio::ip::tcp::socket>;
using Clock = std::chrono::steady_clock;

constexpr int kPollsBefore = 2;
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kLooksAt = 8 * 1024;

struct Job {
  std::int64_t echo_bytes = 0;
  int polls = 0;
};

std::mutex mutex;
std::map<std::string, Job> jobs;
int made = 0;

std::string Id(int number) { return absl::StrCat("sink-", number); }

std::string Outcome(const std::string& id) {
  return absl::StrCat(R"("outcome":{"video_url":"https://sink.test/)", id,
                      R"(.mp4","generation_id":"g-)", id, "\"}");
}

void Answer(Stream& stream, std::string body) {
  http::response<http::string_body> response(http::status::ok, 11);
  response.set(http::field::content_type, "application/json");
  response.body() = std::move(body);
  response.prepare_payload();
  http::write(stream, response);
}

// A record of which the echo is made while it is sent.
void AnswerRecord(Stream& stream, const std::string& id, const Job& job, bool done) {
  const std::string head = absl::StrCat(R"({"request_id":")", id, R"(","org_id":"o","status":")",
                                        done ? "success" : "processing",
                                        R"(","payload":{"prompt":"bench","source_data":")");
  const std::string tail = absl::StrCat("\"},", done ? Outcome(id) : R"("outcome":null)",
                                        R"(,"created_at":1790000000})");
  const std::string piece(kPiece, 'A');
  const std::int64_t size = static_cast<std::int64_t>(head.size() + tail.size()) + job.echo_bytes;
  const std::string start = absl::StrCat(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ", size, "\r\n\r\n");
  asio::write(stream, asio::buffer(start + head));
  for (std::int64_t left = job.echo_bytes; left > 0;) {
    const auto now = static_cast<std::size_t>(std::min<std::int64_t>(left, kPiece));
    asio::write(stream, asio::buffer(piece.data(), now));
    left -= static_cast<std::int64_t>(now);
  }
  asio::write(stream, asio::buffer(tail));
}

void TakePost(Stream& stream, boost::beast::flat_buffer& buffer,
              http::request_parser<http::buffer_body>& parser) {
  std::string piece(kPiece, '\0');
  std::string front;
  std::int64_t bytes = 0;
  Clock::time_point first;
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    boost::beast::error_code error;
    http::read(stream, buffer, parser, error);
    if (error && error != http::error::need_buffer) throw boost::system::system_error(error);
    const std::size_t came = piece.size() - parser.get().body().size;
    if (bytes == 0) first = Clock::now();
    bytes += static_cast<std::int64_t>(came);
    if (front.size() < kLooksAt) front.append(piece, 0, came);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - first).count();
  Job job;
  if (const std::size_t at = front.find("echo="); at != std::string::npos) {
    const std::size_t end = front.find_first_not_of("0123456789", at + 5);
    if (!absl::SimpleAtoi(front.substr(at + 5, end - at - 5), &job.echo_bytes)) return;
  }
  std::string id;
  {
    const std::lock_guard lock(mutex);
    id = Id(++made);
    jobs[id] = job;
    std::printf("{\"bytes\":%lld,\"seconds\":%.6f}\n", static_cast<long long>(bytes), seconds);
    std::fflush(stdout);
  }
  const std::string status = job.echo_bytes > 0 ? R"("processing")" : R"("success",)" + Outcome(id);
  Answer(stream, absl::StrCat(R"({"request_id":")", id, R"(","created_at":1790000000,"status":)",
                              status, "}"));
}

void TakeGet(Stream& stream, const std::string& target) {
  const std::string id = target.substr(target.rfind('/') + 1);
  Job job;
  {
    const std::lock_guard lock(mutex);
    const auto found = jobs.find(id);
    if (found == jobs.end()) {
      return Answer(stream, R"({"requests":[],"total":0,"has_more":false})");
    }
    job = found->second;
    ++found->second.polls;
  }
  AnswerRecord(stream, id, job, job.polls >= kPollsBefore);
}

void Serve(asio::ip::tcp::socket socket, asio::ssl::context& tls) {
  try {
    socket.set_option(asio::ip::tcp::no_delay(true));
    Stream stream(std::move(socket), tls);
    stream.handshake(asio::ssl::stream_base::server);
    boost::beast::flat_buffer buffer;
    for (;;) {
      http::request_parser<http::buffer_body> parser;
      parser.body_limit(boost::none);
      http::read_header(stream, buffer, parser);
      if (parser.get().method() == http::verb::post) {
        TakePost(stream, buffer, parser);
      } else {
        TakeGet(stream, std::string(parser.get().target()));
      }
      if (!parser.get().keep_alive()) return;
    }
  } catch (const std::exception&) {
    // The peer has gone, or does not read on: both are its right.
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  asio::io_context io;
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.use_certificate_chain_file(argv[1]);
  tls.use_private_key_file(argv[2], asio::ssl::context::pem);
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  std::printf("%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  for (;;) {
    std::thread([socket = acceptor.accept(), &tls]() mutable {
      Serve(std::move(socket), tls);
    }).detach();
  }
}

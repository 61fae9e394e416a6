#include "server/upstream/http_answer.h"

#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

namespace lumaedit {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

using ErrorCode = boost::system::error_code;
using Failure = std::optional<HttpFailure>;

constexpr std::size_t kReadSize = 64 * 1024;
constexpr int kMostInterimAnswers = 8;

}  // namespace

class AnswerReader::Parser final : public http::basic_parser<false> {
 public:
  explicit Parser(HttpSink& sink) : sink_(sink) { eager(true); }

  const HttpHead& head() const { return head_; }
  bool is_interim() const { return head_.status / 100 == 1; }
  bool was_enough() const { return was_enough_; }
  std::int64_t body_bytes() const { return body_bytes_; }

 private:
  void on_request_impl(http::verb, boost::beast::string_view, boost::beast::string_view, int,
                       ErrorCode&) override {}
  void on_response_impl(int status, boost::beast::string_view, int, ErrorCode&) override {
    status_ = status;
  }
  void on_field_impl(http::field name, boost::beast::string_view, boost::beast::string_view value,
                     ErrorCode&) override {
    std::string text(value.data(), value.size());
    if (name == http::field::content_type) head_.content_type = std::move(text);
    if (name == http::field::content_encoding) head_.content_encoding = std::move(text);
    if (name == http::field::retry_after) head_.retry_after = std::move(text);
    if (name == http::field::date) head_.date = std::move(text);
  }
  void on_header_impl(ErrorCode& error) override {
    head_.status = status_;
    if (const auto length = content_length()) {
      head_.content_length = static_cast<std::int64_t>(*length);
    }
    if (!is_interim() && !sink_.Head(head_)) StopHere(error);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(boost::beast::string_view bytes, ErrorCode& error) override {
    body_bytes_ += static_cast<std::int64_t>(bytes.size());
    if (!sink_.Body({bytes.data(), bytes.size()})) StopHere(error);
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view bytes,
                                 ErrorCode& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(ErrorCode&) override {}

  void StopHere(ErrorCode& error) {
    was_enough_ = true;
    error = asio::error::operation_aborted;
  }

  HttpSink& sink_;
  HttpHead head_;
  int status_ = 0;
  std::int64_t body_bytes_ = 0;
  bool was_enough_ = false;
};

struct AnswerReader::Input {
  boost::beast::flat_buffer buffer;
};

AnswerReader::AnswerReader(HttpConnection& connection, std::uint32_t header_limit,
                           std::int64_t body_limit, HttpSink& sink, std::function<void()> on_bytes)
    : connection_(connection),
      header_limit_(header_limit),
      body_limit_(static_cast<std::uint64_t>(body_limit)),
      sink_(sink),
      on_bytes_(std::move(on_bytes)),
      input_(std::make_unique<Input>()) {}

AnswerReader::~AnswerReader() = default;

bool AnswerReader::was_enough() const { return parser_->was_enough(); }
std::int64_t AnswerReader::body_bytes() const { return parser_->body_bytes(); }
bool AnswerReader::may_be_kept() const {
  return parser_->keep_alive() && input_->buffer.size() == 0;
}

asio::awaitable<Failure> AnswerReader::Run() {
  for (int interim = 0; interim <= kMostInterimAnswers; ++interim) {
    parser_ = std::make_unique<Parser>(sink_);
    parser_->header_limit(header_limit_);
    parser_->body_limit(body_limit_);
    while (!parser_->is_done()) {
      if (Failure failure = co_await Step(); failure || parser_->was_enough()) co_return failure;
    }
    if (!parser_->is_interim() || parser_->head().status == 101) break;
    begun_ = input_->buffer.size() > 0;
    on_bytes_();
  }
  if (parser_->is_interim()) {
    co_return HttpFailure{.step = HttpStep::kRead, .text = "interim answers and no final one"};
  }
  co_return std::nullopt;
}

// Parses what is there, else reads more.
asio::awaitable<Failure> AnswerReader::Step() {
  boost::beast::flat_buffer& buffer = input_->buffer;
  ErrorCode error;
  if (buffer.size() > 0) {
    buffer.consume(parser_->put(buffer.data(), error));
    if (parser_->was_enough() || parser_->is_done()) co_return std::nullopt;
    if (error && error != http::error::need_more) {
      co_return connection_.Failure(HttpStep::kRead, error);
    }
  }
  const asio::mutable_buffer room = buffer.prepare(kReadSize);
  const HttpConnection::Moved moved = co_await connection_.Read(room.data(), room.size());
  if (moved.error) co_return AtEnd(moved.error);
  buffer.commit(moved.size);
  begun_ = true;
  on_bytes_();
  co_return std::nullopt;
}

// A body without a length ends with the connection. Many servers close without TLS's farewell;
// whether such a body is whole is seen by its JSON.
Failure AnswerReader::AtEnd(const ErrorCode& end) {
  const bool is_end = end == asio::error::eof || end == asio::ssl::error::stream_truncated;
  ErrorCode error = end;
  if (is_end && !connection_.is_late() && parser_->is_header_done() && parser_->need_eof()) {
    error = {};
    parser_->put_eof(error);
    if (!error) return std::nullopt;
  }
  return connection_.Failure(HttpStep::kRead, error);
}

}  // namespace lumaedit

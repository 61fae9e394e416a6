// Reads one HTTP answer off a connection, handing its body on without keeping it. The parser is
// Beast's; its headers stay out of this one.
//
// Lives in the coroutine that reads; I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "server/upstream/http_connection.h"
#include "server/upstream/http_transport.h"

namespace lumaedit {

class AnswerReader {
 public:
  // Limits in bytes. `on_bytes` is called whenever some have come, and after each interim answer.
  // `connection` and `sink` outlive this.
  AnswerReader(HttpConnection& connection, std::uint32_t header_limit, std::int64_t body_limit,
               HttpSink& sink, std::function<void()> on_bytes);
  ~AnswerReader();
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  // Passes over interim answers (1xx). Unset: it was read to its end, or the sink has enough.
  boost::asio::awaitable<std::optional<HttpFailure>> Run();

  // After Run.
  // Bytes came that were not of an interim answer, as far as can be told.
  bool begun() const { return begun_; }
  bool was_enough() const;
  std::int64_t body_bytes() const;
  // Another request may follow on the connection.
  bool may_be_kept() const;

 private:
  class Parser;
  struct Input;

  boost::asio::awaitable<std::optional<HttpFailure>> Step();
  std::optional<HttpFailure> AtEnd(const HttpConnection::ErrorCode& end);

  HttpConnection& connection_;
  const std::uint32_t header_limit_;
  const std::uint64_t body_limit_;
  HttpSink& sink_;
  const std::function<void()> on_bytes_;
  const std::unique_ptr<Input> input_;
  std::unique_ptr<Parser> parser_;
  bool begun_ = false;
};

}  // namespace lumaedit

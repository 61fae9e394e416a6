#include <google/protobuf/stubs/logging.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/secret.h"
#include "server/job/payload.h"
#include "server/job/validation.h"
#include "server/rpc/from_proto.h"
#include "server/rpc/page_token.h"
#include "server/rpc/watch_token.h"
#include "server/upstream/payload_writer.h"
#include "server/upstream/record_reader.h"
#include "server/upstream/upstream_text.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace lumaedit::fuzz {
namespace {

constexpr char kKey[] = "canary-key-0123456789";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

void CheckViolations(const std::vector<Violation>& violations) {
  for (const Violation& violation : violations) {
    Promise(!violation.field.empty() && !violation.description.empty(), "a violation says what");
    for (const char c : violation.field + violation.description) {
      Promise(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f', "a violation is one line");
    }
  }
}

// What is valid is sent as JSON that reads back as the payload it was made of: else a job of ours
// would never be found again.
void CheckPayload(const Edit& edit) {
  const UpstreamPayload payload = PayloadFor(edit);
  const PayloadFrame frame = WritePayload(kEditModel, payload);
  if (frame.has_source) return;
  const std::string body = frame.head + frame.tail;
  Promise(static_cast<std::int64_t>(body.size()) == frame.BodySize(0), "a length is known");
  RecordReader reader(Secret(kKey), true);
  const std::string record =
      absl::StrCat(R"({"request_id":"a","status":"queued",)", absl::string_view(body).substr(1));
  Promise(reader.Write(record).ok() && reader.Finish().ok(), "what is sent is JSON");
  const UpstreamPayload echo = reader.Record().echo;
  Promise(echo == payload, "an echo equals what was sent");
  Promise(PayloadFingerprint(echo) == PayloadFingerprint(payload), "and so does its fingerprint");
}

// https, a host, nothing that a log or a terminal would act on, nobody's name and password.
void CheckHttps(std::string_view url) {
  Promise(absl::AsciiStrToLower(View(url.substr(0, 8))) == "https://", "https only");
  for (const char c : url) Promise(c > 0x20 && c < 0x7f, "printable ASCII only");
  const std::string_view authority = url.substr(8, url.find_first_of("/?#", 8) - 8);
  Promise(!authority.empty(), "a host");
  Promise(authority.find('@') == std::string_view::npos, "no user information");
}

void CheckPageToken(std::string_view label, std::string_view token) {
  JobFilter filter;
  if (label != "page") filter.labels["team"] = std::string(label);
  const auto cursor = ReadPageToken(token, filter);
  if (!cursor) return;
  Promise(
      cursor->create_time > absl::InfinitePast() && cursor->create_time < absl::InfiniteFuture(),
      "a position is a time");
  const auto back = ReadPageToken(MakePageToken(*cursor, filter), filter);
  Promise(back && back->id == cursor->id && back->create_time == cursor->create_time,
          "a position comes back");
  filter.labels["another"] = "label";
  Promise(!ReadPageToken(token, filter), "a token belongs to its filter");
}

void CheckWatchToken(std::string_view text) {
  const auto token = ReadWatchToken(text);
  if (!token) return;
  Promise(token->position.change >= 0 && !token->position.store_id.empty(), "a token is a place");
  const auto back = ReadWatchToken(MakeWatchToken(token->position, token->filter_hash));
  Promise(back && back->position.change == token->position.change &&
              back->position.store_id == token->position.store_id &&
              back->filter_hash == token->filter_hash,
          "a token comes back");
}

void CheckStartFrameUrl(std::string_view bytes) {
  const std::string why = WhyNotAPublicUrl(bytes);
  Promise(why.size() <= 200, "a reason is short");
  if (!why.empty()) return;
  Promise(bytes.size() <= 2048, "an address is bounded");
  CheckHttps(bytes);
  const std::string_view authority = bytes.substr(8, bytes.find_first_of("/?#", 8) - 8);
  Promise(authority.find_first_of("[]%\\") == std::string_view::npos, "a plain host name");
  const std::string host = absl::AsciiStrToLower(View(authority.substr(0, authority.find(':'))));
  Promise(host.find('.') != std::string::npos, "a public name has a dot");
  const std::string last = host.substr(host.rfind('.') + 1);
  // What a browser takes for an address: digits, or 0x and hexadecimal digits (WHATWG URL 3.5).
  const bool hex = last.starts_with("0x");
  Promise(last.find_first_not_of(hex ? "0123456789abcdef" : "0123456789", hex ? 2 : 0) !=
              std::string::npos,
          "no address of numbers");
  for (const char* inside : {"localhost", "local", "internal"}) {
    Promise(last != inside, "nothing of anybody's inside");
  }
}

// What is shown to people and fetched by the command line.
void CheckOutputUrl(std::string_view bytes) {
  if (!IsOutputUrl(bytes, Secret(kKey))) return;
  Promise(bytes.size() <= kMaxUrlBytes, "an address is bounded");
  CheckHttps(bytes);
  Promise(bytes.find(kKey) == std::string_view::npos, "no key");
}

}  // namespace

void SubmitRequest(std::string_view bytes) {
  // Protobuf tells stderr of every text that is not UTF-8.
  static const bool quiet = google::protobuf::SetLogHandler(nullptr) != nullptr;
  static_cast<void>(quiet);
  v1::SubmitEditRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  lumaedit::SubmitRequest request = SubmitRequestFromProto(std::move(message), "caller");
  const std::vector<Violation> violations = ValidateSubmit(request, {});
  CheckViolations(violations);
  CheckViolations(ValidateQuote(request, {}));
  Promise(DifferingFields(request.edit, request.options, request.edit, request.options).empty() ||
              !violations.empty(),
          "a valid submission is no other than itself");
  if (violations.empty()) CheckPayload(request.edit);
}

void Tokens(std::string_view bytes) {
  FuzzInput input(bytes);
  // "page:LABEL" or "watch", a line; then the token.
  const std::string_view kind = input.Line();
  if (kind == "watch") {
    CheckWatchToken(input.Rest());
  } else {
    CheckPageToken(kind, input.Rest());
  }
}

void Url(std::string_view bytes) {
  CheckStartFrameUrl(bytes);
  CheckOutputUrl(bytes);
}

}  // namespace lumaedit::fuzz

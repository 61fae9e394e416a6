#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/store/job_rows.h"
#include "server/store/sqlite_connection.h"
#include "server/store/value_json.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace lumaedit::fuzz {
namespace {

// A text that is read as a value reads as the same value when it is written again.
template <typename Value, typename Text>
void CheckRoundTrip(absl::StatusOr<Value> (*read)(std::string_view), Text (*write)(const Value&),
                    std::string_view text) {
  const auto value = read(text);
  if (!value.ok()) {
    Promise(absl::IsDataLoss(value.status()), "a bad text is DATA_LOSS");
    return;
  }
  const std::string written = write(*value);
  const auto again = read(written);
  Promise(again.ok(), "what was written can be read");
  Promise(write(*again) == written, "a value comes back as it was");
}

// A row of `columns` values, each NULL, a number or a text, as a damaged file might hold.
template <typename Read>
void CheckRow(FuzzInput& input, int columns, Read read) {
  static const std::unique_ptr<SqliteConnection> connection =
      std::move(*SqliteConnection::Open(":memory:", SqliteConnection::Mode::kCreate, ""));
  std::string sql = "SELECT ?";
  for (int i = 1; i < columns; ++i) absl::StrAppend(&sql, ", ?");
  Statement row = connection->Prepare(sql);
  for (int i = 0; i < columns; ++i) {
    switch (input.Byte() % 8) {
      case 0:
        row.BindNull();
        break;
      case 1:
        row.Bind(input.Int());
        break;
      case 2:
        row.Bind(input.Short());
        break;
      // Two values that many columns take, so that the reading gets on.
      case 3:
        row.Bind(std::string_view("{}"));
        break;
      case 4:
        row.Bind(std::string_view("[]"));
        break;
      default:
        row.Bind(static_cast<std::int64_t>(input.Byte() % 12));
    }
  }
  const auto stepped = row.Step();
  if (!stepped.ok() || !*stepped) return;
  const absl::Status status = read(row);
  Promise(status.ok() || absl::IsDataLoss(status), "a bad row is DATA_LOSS");
}

int ColumnCount(std::string_view list) {
  return 1 + static_cast<int>(std::count(list.begin(), list.end(), ','));
}

}  // namespace

// The first byte chooses what is read, the rest is a text or a row.
void StoredRow(std::string_view bytes) {
  FuzzInput input(bytes);
  switch (input.Byte() % 10) {
    case 0:
      return CheckRoundTrip<Edit>(&EditFromJson, &EditToJson, input.Rest());
    case 1:
      return CheckRoundTrip<SubmitOptions>(&OptionsFromJson, &OptionsToJson, input.Rest());
    case 2:
      return CheckRoundTrip<Outcome>(&OutcomeFromJson, &OutcomeToJson, input.Rest());
    case 3:
      return CheckRoundTrip<JobError>(&JobErrorFromJson, &JobErrorToJson, input.Rest());
    case 4:
      return CheckRoundTrip<Fact>(&FactFromJson, &FactToJson, input.Rest());
    case 5:
      return CheckRoundTrip<std::vector<std::string>>(&StringsFromJson, &StringsToJson,
                                                      input.Rest());
    case 6:
      return CheckRoundTrip<SourceInfo>(&SourceInfoFromJson, &SourceInfoToJson, input.Rest());
    case 7:
      return CheckRow(input, ColumnCount(kJobColumns), [](const Statement& row) {
        const auto job = ReadJob(row);
        Promise(!job.ok() || (job->state >= JobState::kPending && job->state <= JobState::kExpired),
                "a state is one");
        return job.status();
      });
    case 8:
      return CheckRow(input, kTransitionColumnCount,
                      [](const Statement& row) { return ReadTransition(row).status(); });
    default:
      return CheckRow(input, kAttemptColumnCount,
                      [](const Statement& row) { return ReadAttempt(row).status(); });
  }
}

// The first line is a field, the rest another.
void LogLine(std::string_view bytes) {
  FuzzInput input(bytes);
  const std::string first(input.Line());
  const std::string line = RenderLogLine(absl::FromUnixSeconds(1790000000), LogLevel::kInfo, "word",
                                         {{"first", first}, {"second", input.Rest()}, {"n", 7}});
  for (const char c : line) {
    Promise(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f', "a line is one line");
  }
  // Line and paragraph separator, and the controls beyond ASCII.
  Promise(line.find("\xE2\x80\xA8") == std::string::npos &&
              line.find("\xE2\x80\xA9") == std::string::npos,
          "no separator that some readers take for an end");
  for (int c = 0x80; c <= 0x9f; ++c) {
    const char control[] = {'\xC2', static_cast<char>(c), '\0'};
    Promise(line.find(control) == std::string::npos, "no control beyond ASCII");
  }
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(line, error);
  Promise(!error && parsed.is_object(), "a line is a JSON object");
  const boost::json::object& object = parsed.get_object();
  Promise(object.size() == 6, "a field cannot make another");
  Promise(object.at("level").as_string() == "info" && object.at("n").as_int64() == 7,
          "a field cannot change another");
}

}  // namespace lumaedit::fuzz

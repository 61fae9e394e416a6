#include "client/cli/job_report.h"

#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {
namespace {

void AddTo(v1::PriceRange& sum, const v1::PriceRange& more) {
  sum.set_min_usd_micros(sum.min_usd_micros() + more.min_usd_micros());
  sum.set_max_usd_micros(sum.max_usd_micros() + more.max_usd_micros());
}

std::string Cell(const v1::PriceRange& amount) {
  return amount.max_usd_micros() == 0 ? "-" : Price(amount);
}

std::string StatesText(const ReportRow& row) {
  std::vector<std::string> texts;
  for (const auto& [state, count] : row.by_state) {
    texts.push_back(absl::StrCat(count, " ", StateName(state)));
  }
  return absl::StrJoin(texts, ", ");
}

// As wide as a terminal shows it: a code point a column.
int Width(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string Padded(const std::string& text, int width) {
  return text + std::string(static_cast<std::size_t>(std::max(0, width - Width(text))), ' ');
}

google::protobuf::Value Text(const std::string& text) {
  google::protobuf::Value value;
  value.set_string_value(text);
  return value;
}

// 64-bit numbers are strings, as in protobuf's own JSON.
google::protobuf::Value Amount(const v1::PriceRange& range) {
  google::protobuf::Value value;
  auto& fields = *value.mutable_struct_value()->mutable_fields();
  fields["minUsdMicros"] = Text(absl::StrCat(range.min_usd_micros()));
  fields["maxUsdMicros"] = Text(absl::StrCat(range.max_usd_micros()));
  return value;
}

}  // namespace

void ReportRow::Add(const v1::Job& job) {
  ++jobs;
  ++by_state[job.state()];
  switch (job.charge().state()) {
    case v1::Charge::STATE_RESERVED:
      AddTo(reserved, job.charge().amount());
      break;
    case v1::Charge::STATE_INCURRED:
      AddTo(incurred, job.charge().amount());
      break;
    case v1::Charge::STATE_UNCERTAIN:
      AddTo(uncertain, job.charge().amount());
      break;
    default:  // released: nothing is owed
      break;
  }
}

void ReportRow::Add(const ReportRow& row) {
  jobs += row.jobs;
  for (const auto& [state, count] : row.by_state) by_state[state] += count;
  AddTo(reserved, row.reserved);
  AddTo(incurred, row.incurred);
  AddTo(uncertain, row.uncertain);
}

JobReport::JobReport(std::string label, std::string month)
    : label_(std::move(label)), month_(std::move(month)) {}

void JobReport::Add(const v1::Job& job) {
  const auto label = job.labels().find(label_);
  (label == job.labels().end() ? without_label_ : by_value_[label->second]).Add(job);
}

std::vector<std::string> JobReport::Table() const {
  ReportRow total;
  std::vector<std::vector<std::string>> cells = {{absl::StrCat(Clean(label_), " ", month_), "jobs",
                                                  "incurred", "uncertain", "reserved", "states"}};
  const auto add = [&cells](const std::string& name, const ReportRow& row) {
    cells.push_back({name, absl::StrCat(row.jobs), Cell(row.incurred), Cell(row.uncertain),
                     Cell(row.reserved), StatesText(row)});
  };
  for (const auto& [value, row] : by_value_) {
    add(value.empty() ? "\"\"" : Clean(value), row);
    total.Add(row);
  }
  if (without_label_.jobs > 0) add("(no label)", without_label_);
  total.Add(without_label_);
  add("total", total);

  std::vector<int> widths(cells.front().size());
  for (const auto& row : cells) {
    for (std::size_t at = 0; at < row.size(); ++at)
      widths[at] = std::max(widths[at], Width(row[at]));
  }
  std::vector<std::string> lines;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t at = 0; at < row.size(); ++at) {
      absl::StrAppend(&line, at == 0 ? "" : "  ", Padded(row[at], widths[at]));
    }
    lines.push_back(std::string(absl::StripTrailingAsciiWhitespace(line)));
  }
  return lines;
}

std::vector<std::string> JobReport::Json() const {
  std::vector<std::string> lines;
  const auto add = [&](const std::string* value, const ReportRow& row) {
    google::protobuf::Struct object;
    auto& fields = *object.mutable_fields();
    fields["label"] = Text(label_);
    if (value != nullptr) fields["value"] = Text(*value);
    fields["month"] = Text(month_);
    fields["jobs"].set_number_value(row.jobs);
    auto& states = *fields["jobsByState"].mutable_struct_value()->mutable_fields();
    for (const auto& [state, count] : row.by_state) {
      states[std::string(StateName(state))].set_number_value(count);
    }
    fields["incurred"] = Amount(row.incurred);
    fields["uncertain"] = Amount(row.uncertain);
    fields["reserved"] = Amount(row.reserved);
    lines.push_back(ToJson(object));
  };
  for (const auto& [value, row] : by_value_) add(&value, row);
  if (without_label_.jobs > 0) add(nullptr, without_label_);
  return lines;
}

}  // namespace lumaedit::client::cli

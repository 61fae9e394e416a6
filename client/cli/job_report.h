// What a month's jobs cost, by the value of a label.
//
// Used by one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client::cli {

struct ReportRow {
  int jobs = 0;
  std::map<v1::Job::State, int> by_state;
  v1::PriceRange reserved;
  v1::PriceRange incurred;
  v1::PriceRange uncertain;

  void Add(const v1::Job& job);
  void Add(const ReportRow& row);
};

class JobReport {
 public:
  // `month` is shown as it is given.
  JobReport(std::string label, std::string month);

  void Add(const v1::Job& job);

  // A head, a row a value in their order, jobs without the label, and the total.
  std::vector<std::string> Table() const;

  // One JSON object a row, in the same order, without the total. "value" is left out for jobs
  // without the label.
  std::vector<std::string> Json() const;

 private:
  const std::string label_;
  const std::string month_;
  std::map<std::string, ReportRow> by_value_;
  ReportRow without_label_;
};

}  // namespace lumaedit::client::cli

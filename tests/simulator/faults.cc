#include "faults.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "json_get.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

struct Alias {
  const char* marker;
  const char* fault;
  const char* value;
};

// Short words for people who type prompts by hand.
constexpr Alias kAliases[] = {
    {"fail", "failure_shape", "text"},     {"anomaly", "success_anomaly", "null"},
    {"status", "unknown_status", ""},      {"lost", "accepted_then_lost", "before_headers"},
    {"backwards", "status_backwards", ""}, {"run", "durations", ""},
    {"429", "rate_limit_429", "body"},     {"503", "capacity_503", ""},
};

json::value MarkerValue(const std::string& text) {
  json::error_code code;
  json::value value = json::parse(text, code);
  if (code) return json::value(text);
  return value;
}

unsigned MarkerPoint(const CatalogueEntry& entry) {
  for (const unsigned point : {kPost, kGet, kList, kOutput}) {
    if (entry.points & point) return point;
  }
  return 0;
}

}  // namespace

std::vector<Marker> MarkersOf(std::string_view prompt) {
  static constexpr std::string_view kOpen = "[sim:";
  std::vector<Marker> markers;
  for (size_t at = prompt.find(kOpen); at != std::string_view::npos; at = prompt.find(kOpen, at)) {
    at += kOpen.size();
    const size_t end = prompt.find(']', at);
    if (end == std::string_view::npos) break;
    std::string_view text = prompt.substr(at, end - at);
    Marker marker;
    const size_t star = text.rfind('*');
    if (star != std::string_view::npos) {
      marker.times = std::strtoll(std::string(text.substr(star + 1)).c_str(), nullptr, 10);
      text = text.substr(0, star);
    }
    const size_t equals = text.find('=');
    marker.name = std::string(text.substr(0, equals));
    std::replace(marker.name.begin(), marker.name.end(), '-', '_');
    if (equals != std::string_view::npos) marker.value = std::string(text.substr(equals + 1));
    markers.push_back(std::move(marker));
  }
  return markers;
}

std::string FaultBook::Add(const json::object& object, double now) {
  Rule rule;
  const std::string name = GetString(object, "fault");
  rule.entry = FindFault(name);
  if (rule.entry == nullptr)
    return "unknown fault '" + name + "'; GET /control/catalogue lists all";
  const std::string on = GetString(object, "on");
  rule.points = on.empty() ? MarkerPoint(*rule.entry) : PointOf(on);
  if ((rule.points & rule.entry->points) == 0)
    return "fault '" + name + "' cannot be on '" + on + "'";
  if (const json::value* args = object.if_contains("args")) {
    if (!args->is_object()) return "args must be an object";
    rule.args = args->get_object();
  }
  rule.probability = GetNumber(object, "probability", 1.0);
  const bool for_ever = GetBool(object, "always", false) || object.contains("probability");
  if (object.contains("times") || !for_ever) {
    rule.left = static_cast<int64_t>(GetNumber(object, "times", 1));
  }
  rule.skip = static_cast<int64_t>(GetNumber(object, "skip", 0));
  if (object.contains("for_seconds")) rule.ends = now + GetNumber(object, "for_seconds", 0);
  rule.match_prompt = GetString(object, "match_prompt");
  rule.match_key = GetString(object, "match_key");
  rule.match_request_id = GetString(object, "match_request_id");
  if (rule.entry->kind == FaultKind::kHead && !rule.match_prompt.empty()) {
    return "fault '" + name + "' acts before the prompt is known";
  }
  rules_.push_back(std::move(rule));
  return "";
}

void FaultBook::Clear() {
  rules_.clear();
  storm_.reset();
  storm_faults_.clear();
  storm_rate_ = 0.0;
}

json::array FaultBook::Describe() const {
  json::array out;
  for (const Rule& rule : rules_) {
    json::object item{{"fault", rule.entry->name}, {"args", rule.args}, {"struck", rule.struck}};
    if (rule.left) item["left"] = *rule.left;
    if (!rule.match_prompt.empty()) item["match_prompt"] = rule.match_prompt;
    out.push_back(std::move(item));
  }
  return out;
}

std::string FaultBook::SetRandom(const json::object& settings) {
  std::vector<RandomFault> faults;
  const json::value* list = settings.if_contains("faults");
  if (list != nullptr && !list->is_array()) return "faults must be an array";
  if (list == nullptr) {
    for (const CatalogueEntry& entry : Catalogue()) {
      if (entry.kind != FaultKind::kHead && entry.number != 0) {
        faults.push_back({&entry, entry.points, std::nullopt});
      }
    }
  } else {
    for (const json::value& item : list->get_array()) {
      json::object object;
      if (item.is_object()) object = item.get_object();
      if (item.is_string()) object["fault"] = item;
      RandomFault fault;
      fault.entry = FindFault(GetString(object, "fault"));
      if (fault.entry == nullptr) return "unknown fault '" + GetString(object, "fault") + "'";
      const std::string on = GetString(object, "on");
      fault.points = on.empty() ? fault.entry->points : PointOf(on) & fault.entry->points;
      if (fault.points == 0) return "fault '" + GetString(object, "fault") + "' cannot be there";
      const json::value* args = object.if_contains("args");
      if (args != nullptr && args->is_object()) fault.args = args->get_object();
      faults.push_back(std::move(fault));
    }
  }
  storm_.emplace(static_cast<uint64_t>(GetNumber(settings, "seed", 1)));
  storm_rate_ = GetNumber(settings, "rate", 0.1);
  storm_faults_ = std::move(faults);
  return "";
}

bool FaultBook::Matches(const Rule& rule, const Situation& situation) const {
  if ((rule.points & situation.point) == 0) return false;
  if (rule.left && *rule.left <= 0) return false;
  if (rule.ends && situation.now >= *rule.ends) return false;
  if (!rule.match_key.empty() && rule.match_key != situation.key) return false;
  if (!rule.match_request_id.empty() && rule.match_request_id != situation.request_id) return false;
  if (rule.match_prompt.empty()) return true;
  return std::any_of(situation.prompts.begin(), situation.prompts.end(), [&](std::string_view p) {
    return p.find(rule.match_prompt) != std::string_view::npos;
  });
}

bool FaultBook::Strikes(Rule& rule, const Situation& situation) {
  if (!Matches(rule, situation)) return false;
  if (rule.skip > 0) {
    --rule.skip;
    return false;
  }
  if (rule.probability < 1.0 && !random_.Chance(rule.probability)) return false;
  if (rule.left) --*rule.left;
  ++rule.struck;
  return true;
}

void FaultBook::TakeMarkers(const Situation& situation, bool head, std::vector<Fault>& out) {
  if (head || situation.prompts.size() != 1) return;
  const std::string prompt(situation.prompts.front());
  for (const Marker& marker : MarkersOf(prompt)) {
    std::string name = marker.name;
    std::string value = marker.value;
    for (const Alias& alias : kAliases) {
      if (name != alias.marker) continue;
      name = alias.fault;
      if (value.empty()) value = alias.value;
    }
    const CatalogueEntry* entry = FindFault(name);
    if (entry == nullptr || entry->kind == FaultKind::kHead) continue;
    if (MarkerPoint(*entry) != situation.point) continue;
    if (marker.times) {
      int64_t& uses = marker_uses_[prompt + "\n" + marker.name + "=" + marker.value];
      if (uses >= *marker.times) continue;
      ++uses;
    }
    Fault fault{entry->name, {}, ""};
    if (!value.empty() && *entry->main_argument != 0) {
      fault.args[entry->main_argument] = MarkerValue(value);
    }
    out.push_back(std::move(fault));
    if (entry->kind == FaultKind::kRefuse) return;
  }
}

void FaultBook::TakeRandom(const Situation& situation, bool head, std::vector<Fault>& out) {
  if (!storm_ || head || !storm_->Chance(storm_rate_)) return;
  std::vector<const RandomFault*> possible;
  for (const RandomFault& fault : storm_faults_) {
    if (fault.points & situation.point) possible.push_back(&fault);
  }
  if (possible.empty()) return;
  const RandomFault& chosen = *possible[storm_->Index(possible.size())];
  Fault fault{chosen.entry->name, {}, ""};
  if (chosen.args) {
    fault.args = *chosen.args;
  } else {
    const json::value variants = json::parse(chosen.entry->variants);
    const json::array& list = variants.get_array();
    fault.args = list[storm_->Index(list.size())].get_object();
  }
  out.push_back(std::move(fault));
}

std::vector<Fault> FaultBook::Take(const Situation& situation, bool head) {
  std::vector<Fault> out;
  for (Rule& rule : rules_) {
    if ((rule.entry->kind == FaultKind::kHead) != head) continue;
    if (!Strikes(rule, situation)) continue;
    out.push_back({rule.entry->name, rule.args, rule.match_prompt});
    if (rule.entry->kind == FaultKind::kRefuse) return out;
  }
  TakeMarkers(situation, head, out);
  const bool refused = !out.empty() && FindFault(out.back().name)->kind == FaultKind::kRefuse;
  if (!refused) TakeRandom(situation, head, out);
  return out;
}

}  // namespace lumaedit::simulator

#include "record_view.h"

#include <algorithm>
#include <string>
#include <utility>

#include "json_get.h"
#include "outcome_shapes.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

struct Field {
  std::string key;
  json::value value;
};
using Fields = std::vector<Field>;

Field* Find(Fields& fields, std::string_view key) {
  for (Field& field : fields) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

void Set(Fields& fields, std::string_view key, json::value value) {
  if (Field* field = Find(fields, key)) {
    field->value = std::move(value);
  } else {
    fields.push_back({std::string(key), std::move(value)});
  }
}

void Erase(Fields& fields, std::string_view key) {
  fields.erase(std::remove_if(fields.begin(), fields.end(),
                              [&](const Field& field) { return field.key == key; }),
               fields.end());
}

void BendStatus(const Fault& fault, const std::string& status, Fields& fields) {
  const std::string when = GetString(fault.args, "when", "always");
  const bool final = IsFinalStatus(status);
  if ((when == "success" && status != "success") || (when == "final" && !final) ||
      (when == "running" && final)) {
    return;
  }
  if (GetBool(fault.args, "missing", false)) return Erase(fields, "status");
  const json::value* word = fault.args.if_contains("status");
  Set(fields, "status", word == nullptr ? json::value("throttled") : *word);
}

void BendTimes(const Fault& fault, Fields& fields) {
  for (const char* key : {"created_at", "updated_at", "queued_at"}) {
    Field* field = Find(fields, key);
    if (field == nullptr) continue;
    if (GetBool(fault.args, "missing", false)) {
      Erase(fields, key);
      continue;
    }
    if (const json::value* value = fault.args.if_contains("value")) {
      field->value = *value;
      continue;
    }
    if (!field->value.is_int64()) continue;
    const int64_t seconds = field->value.get_int64() +
                            static_cast<int64_t>(GetNumber(fault.args, "offset_seconds", 0.0));
    const std::string as = GetString(fault.args, "as", "integer");
    if (as == "string") {
      field->value = std::to_string(seconds);
    } else if (as == "float") {
      field->value = static_cast<double>(seconds) + 0.25;
    } else {
      field->value = seconds;
    }
  }
}

void AddExtraFields(const Fault& fault, Fields& fields) {
  json::value deep = "bottom";
  const int depth = static_cast<int>(GetNumber(fault.args, "depth", 8));
  for (int i = 0; i < depth; ++i) {
    deep = i % 2 == 0 ? json::value(json::object{{"in", deep}})
                      : json::value(json::array{deep, 1.5e3});
  }
  Set(fields, "qworker_id", "qw-7f3a");
  Set(fields, "x_new_field", deep);
  Set(fields, "priority", json::array{nullptr, true, -1, "x"});
  Field* outcome = Find(fields, "outcome");
  if (outcome != nullptr && outcome->value.is_object()) {
    outcome->value.get_object()["debug"] = deep;
    outcome->value.get_object()["cost"] = 0.125;
  }
}

void Bend(const World& world, const Record& record, const Fault& fault, const std::string& status,
          Fields& fields, json::value& payload_mode) {
  if (fault.name == "unknown_status") {
    BendStatus(fault, status, fields);
  } else if (fault.name == "clock") {
    BendTimes(fault, fields);
  } else if (fault.name == "extra_fields") {
    AddExtraFields(fault, fields);
  } else if (fault.name == "huge_echo") {
    payload_mode = fault.args;
  } else if (fault.name == "success_anomaly" && status == "success") {
    if (Find(fields, "outcome") != nullptr) {
      Set(fields, "outcome", AnomalousOutcome(world, record, GetWord(fault.args, "shape", "null")));
    }
  } else if (fault.name == "failure_shape" && status == "failed") {
    for (auto& member : FailureFields(record, GetWord(fault.args, "shape", "text"))) {
      Set(fields, member.key(), member.value());
    }
  }
}

// The payload as it was sent, or as the fault huge_echo wants it.
void AppendPayload(const Record& record, const json::value& mode, Body& out) {
  const json::object* args = mode.if_object();
  if (args == nullptr) {
    if (record.submission.raw_owner == nullptr) return out.Append("{}");
    return out.AppendShared(record.submission.raw_owner, record.submission.raw);
  }
  if (GetString(*args, "mode") == "empty") return out.Append("{}");
  static constexpr size_t kBlock = 1 << 20;
  static const auto block = std::make_shared<const std::string>(kBlock, 'A');
  json::object payload = record.submission.payload;
  payload.erase("source_data");
  std::string head = json::serialize(payload);
  head.pop_back();
  out.Append(head + (payload.empty() ? "" : ",") + "\"source_data\":\"");
  const auto blocks = static_cast<size_t>(GetNumber(*args, "megabytes", 8));
  for (size_t i = 0; i < blocks; ++i) out.AppendShared(block, *block);
  out.Append("\"}");
}

Fields PlainFields(const World& world, const Record& record, RecordForm form, const Step& step) {
  const int64_t created = world.clock.Stamp(record.created);
  const bool frozen = world.options.freeze_updated_at || record.FindFault("stuck") != nullptr;
  const int64_t updated = frozen ? created : world.clock.Stamp(step.at);
  Fields fields;
  Set(fields, "request_id", json::string(record.id));
  if (form == RecordForm::kFull) {
    Set(fields, "org_id", json::string(record.org));
    Set(fields, "user_id", json::string(record.user));
  }
  Set(fields, "model", json::string(record.submission.model));
  Set(fields, "status", json::string(step.status));
  if (form == RecordForm::kFull) {
    Set(fields, "is_public", false);
    Set(fields, "payload", nullptr);
    json::value outcome;
    if (step.status == "success") outcome = SuccessOutcome(world, record);
    Set(fields, "outcome", outcome);
  }
  Set(fields, "created_at", created);
  Set(fields, "updated_at", updated);
  Set(fields, "queued_at", step.status == "created" ? 0 : created);
  if (form == RecordForm::kFull && step.status == "failed") {
    for (auto& member : FailureFields(record, "text")) Set(fields, member.key(), member.value());
  }
  return fields;
}

}  // namespace

Body RenderRecord(const World& world, const Record& record, RecordForm form,
                  const std::vector<Fault>& extra) {
  const Step& step = record.StepAt(world.clock.Now());
  Fields fields = PlainFields(world, record, form, step);
  json::value payload_mode;
  for (const Fault& fault : record.faults) {
    Bend(world, record, fault, step.status, fields, payload_mode);
  }
  for (const Fault& fault : extra) {
    if (record.submission.prompt.find(fault.match_prompt) == std::string::npos) continue;
    Bend(world, record, fault, step.status, fields, payload_mode);
  }
  for (const auto& member : record.forced) {
    if (form == RecordForm::kFull || member.key() != "outcome") {
      Set(fields, member.key(), member.value());
    }
  }
  if (payload_mode.is_object() && GetString(payload_mode.get_object(), "mode") == "missing") {
    Erase(fields, "payload");
  }
  Body out;
  std::string text = "{";
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) text += ",";
    text += json::serialize(json::string(fields[i].key));
    text += ":";
    if (fields[i].key == "payload" && !record.forced.contains("payload")) {
      out.Append(std::exchange(text, ""));
      AppendPayload(record, payload_mode, out);
    } else {
      text += json::serialize(fields[i].value);
    }
  }
  out.Append(text + "}");
  return out;
}

}  // namespace lumaedit::simulator

#include "faults.h"

namespace lumaedit::simulator {
namespace {

constexpr unsigned kRecords = kPost | kGet | kList;
constexpr unsigned kAll = kRecords | kOutput | kModels | kUpload;

}  // namespace

const std::vector<CatalogueEntry>& Catalogue() {
  static const std::vector<CatalogueEntry> entries = {
      {1, "rate_limit_429", kRecords, FaultKind::kRefuse, "variant",
       R"([{"variant":"body"},{"variant":"header_seconds"},{"variant":"header_date"},
           {"variant":"conflict"},{"variant":"none"},{"variant":"absurd"},{"variant":"negative"},
           {"variant":"plain"},{"variant":"with_request_id"}])"},
      {2, "limiter", kRecords, FaultKind::kSoft, "limit", R"([{"limit":2,"interval_seconds":60}])"},
      {3, "capacity_503", kRecords, FaultKind::kRefuse, "lookup",
       R"([{},{"lookup":"404"},{"lookup":"failed"},{"lookup":"live"}])"},
      {4, "backend_error", kPost, FaultKind::kRefuse, "code",
       R"([{"code":400},{"code":403,"leaves_record":true},{"code":422},{"code":429},
           {"code":500}])"},
      {5, "server_error", kAll, FaultKind::kRefuse, "status",
       R"([{"status":500},{"status":502,"body":"html"},{"status":504,"body":"empty"},
           {"status":502,"body":"html","creates_record":true}])"},
      {6, "client_error", kAll, FaultKind::kRefuse, "status",
       R"([{"status":400},{"status":401,"shape":"message"},{"status":402},{"status":403},
           {"status":404},{"status":413,"shape":"object"},{"status":422,"shape":"detail"}])"},
      {7, "model_not_found", kPost, FaultKind::kRefuse, "text",
       R"([{"text":"missing"},{"text":"no_access"}])"},
      {8, "accepted_then_lost", kPost, FaultKind::kSoft, "where",
       R"([{"where":"before_headers"},{"where":"after_headers"},{"where":"mid_body"},
           {"where":"before_headers","how":"close"}])"},
      {9, "lost", kAll, FaultKind::kRefuse, "where",
       R"([{"where":"before_headers"},{"where":"after_headers"},{"where":"mid_body"},
           {"where":"before_headers","how":"close"}])"},
      {10, "slow", kAll, FaultKind::kSoft, "seconds",
       R"([{"seconds":10},{"seconds":10,"accept":"after"},{"never":true}])"},
      {11, "sync_success", kPost, FaultKind::kSoft, "shape", R"([{}])"},
      {12, "sync_failure", kPost, FaultKind::kSoft, "style",
       R"([{"style":"400"},{"style":"200"}])"},
      {13, "stuck", kPost, FaultKind::kSoft, "status",
       R"([{"status":"queued"},{"status":"processing"}])"},
      {14, "late_failure", kPost, FaultKind::kSoft, "seconds", R"([{"seconds":600}])"},
      {15, "failure_shape", kRecords, FaultKind::kSoft, "shape",
       R"([{"shape":"text"},{"shape":"object"},{"shape":"null"},{"shape":"empty"},
           {"shape":"reason"},{"shape":"top_error_text"},{"shape":"top_error_object"},
           {"shape":"message"},{"shape":"failure_reason"},{"shape":"luma"}])"},
      {16, "cancelled", kPost, FaultKind::kSoft, "word",
       R"([{"word":"cancelled"},{"word":"canceled"}])"},
      {17, "unknown_status", kRecords, FaultKind::kSoft, "status",
       R"([{"status":"throttled"},{"status":"SUCCESS","when":"success"},
           {"status":"completed","when":"success"},{"status":""},{"missing":true},
           {"status":7},{"status":null}])"},
      {18, "status_backwards", kPost, FaultKind::kSoft, "seconds", R"([{"seconds":5}])"},
      {19, "success_anomaly", kRecords, FaultKind::kSoft, "shape",
       R"([{"shape":"null"},{"shape":"empty"},{"shape":"media_urls_empty"},
           {"shape":"media_urls_no_url"},{"shape":"thumbnail_only"},{"shape":"thumbnail_same"},
           {"shape":"media_urls_strings"},{"shape":"no_generation_id"},{"shape":"nested_status"},
           {"shape":"media_urls"},{"shape":"trace_id"}])"},
      {20, "extra_fields", kRecords, FaultKind::kSoft, "depth", R"([{"depth":8}])"},
      {21, "bad_json", kRecords | kModels, FaultKind::kSoft, "variant",
       R"([{"variant":"truncated"},{"variant":"trailing"},{"variant":"duplicate_keys"},
           {"variant":"bom"},{"variant":"invalid_utf8"},{"variant":"wrong_content_type"},
           {"variant":"broken_chunk"},{"variant":"gzip"},{"variant":"not_json"}])"},
      {22, "huge_echo", kRecords, FaultKind::kSoft, "megabytes",
       R"([{"megabytes":8},{"mode":"empty"},{"mode":"missing"}])"},
      {23, "get_flap", kPost | kGet | kList, FaultKind::kSoft, "polls",
       R"([{"polls":2},{"polls":2,"status":429},{"polls":2,"status":502}])"},
      {24, "auth_change", kRecords, FaultKind::kSoft, "after_polls",
       R"([{"revoke":false},{"revoke":false,"status":403}])"},
      {25, "clock", kRecords, FaultKind::kSoft, "offset_seconds",
       R"([{"offset_seconds":300},{"offset_seconds":-300},{"value":0},{"missing":true},
           {"as":"string"},{"as":"float"},{"value":null}])"},
      {26, "source_limit", kPost, FaultKind::kSoft, "at", R"([{"at":"post"},{"at":"late"}])"},
      {27, "body_limit", kPost, FaultKind::kHead, "bytes",
       R"([{"bytes":1048576},{"bytes":1048576,"how":"reset"}])"},
      {28, "output_fault", kOutput, FaultKind::kSoft, "variant",
       R"([{"variant":"403"},{"variant":"404"},{"variant":"410"},{"variant":"wrong_type"},
           {"variant":"short"},{"variant":"slow"},{"variant":"no_range"},{"variant":"changed"}])"},
      {29, "list_quirk", kList, FaultKind::kSoft, "variant",
       R"([{"variant":"no_has_more"},{"variant":"no_total"},{"variant":"shift"},
           {"variant":"oldest_first"}])"},
      {29, "list_delay", kPost, FaultKind::kSoft, "seconds", R"([{"seconds":30},{"never":true}])"},
      {30, "connection_close", kAll, FaultKind::kSoft, "", R"([{}])"},
      {30, "idle_close", kAll, FaultKind::kSoft, "mode",
       R"([{"mode":"on_next_request"},{"mode":"after","seconds":0.05}])"},
      {0, "accept_short_body", kPost, FaultKind::kHead, "missing",
       R"([{"missing":1},{"missing":1,"when":"on_close"}])"},
      {0, "fast", kPost, FaultKind::kSoft, "", R"([{}])"},
      {0, "durations", kPost, FaultKind::kSoft, "run_seconds",
       R"([{"queue_seconds":1,"run_seconds":5}])"},
  };
  return entries;
}

const CatalogueEntry* FindFault(std::string_view name) {
  for (const CatalogueEntry& entry : Catalogue()) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

unsigned PointOf(std::string_view word) {
  if (word == "post") return kPost;
  if (word == "get") return kGet;
  if (word == "list") return kList;
  if (word == "output") return kOutput;
  if (word == "models") return kModels;
  if (word == "upload") return kUpload;
  return 0;
}

}  // namespace lumaedit::simulator

// Settings of one simulator process, filled from the command line by main.cc and never changed
// afterwards, except for what the control interface is documented to change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lumaedit::simulator {

struct Options {
  std::string listen = "127.0.0.1:0";
  std::string control_listen = "127.0.0.1:0";
  // Prefix of output, thumbnail and upload URLs; empty = https:// and the address listened on.
  std::string public_url;
  // upstream.md section 1.
  std::string base_path = "/api/v1/ie/requestqueue/apikey";
  std::string ready_file;
  std::string ca_out;
  std::string tls_cert_file;
  std::string tls_key_file;
  std::vector<std::string> extra_sans;
  // KEY or KEY=ORG.
  std::vector<std::string> api_keys;

  uint64_t seed = 1;
  // Virtual seconds that pass in one real second.
  double time_factor = 1.0;
  // Offset of the simulator's own clock (Date header and record times), in seconds.
  double clock_offset_seconds = 0.0;
  // "wall": created_at and the like are real Unix seconds whatever the time factor; "virtual": they
  // run with virtual time.
  std::string timestamps = "wall";
  // Keep updated_at equal to created_at, as seen upstream (upstream.md section 4).
  bool freeze_updated_at = false;

  // processing, dispatched, queued, created or mixed.
  std::string first_status = "queued";
  // strict: 400 with the reason; vendor: 500 "Backend error (400)" (upstream.md section 9.1.7).
  std::string validation = "strict";
  // A submission refused by "Backend error (4xx)" leaves a failed record in the list.
  bool backend_error_leaves_record = false;
  int post_status = 200;
  // seed: {video_url, generation_id, thumbnail_image_url}; media_urls: the newer envelope.
  std::string outcome_shape = "seed";

  double source_seconds = 5.0;
  // Virtual seconds. A fixed value replaces the drawn one.
  double max_queue_seconds = 60.0;
  double median_run_seconds = 90.0;
  std::optional<double> fixed_queue_seconds;
  std::optional<double> fixed_run_seconds;

  // Bytes of payloads and uploads kept for echo; what goes beyond is counted and hashed, and its
  // echo is {}.
  uint64_t echo_cap_bytes = 512ull << 20;
  uint64_t max_body_bytes = 512ull << 20;
  int list_limit_default = 20;
  int list_limit_max = 100;
  // Virtual seconds after success until the output URLs answer 403; 0 = never.
  double output_expiry_seconds = 0.0;
  // Real seconds a connection may idle.
  double keep_alive_seconds = 75.0;
  // Of each connection; 0 = as fast as loopback goes.
  uint64_t line_bytes_per_second = 0;
  bool verbose = false;
};

}  // namespace lumaedit::simulator

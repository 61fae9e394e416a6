// One GET of an output into a PartFile, by libcurl: https only, also after redirects, and with the
// server's certificate verified. No headers of ours go out but the range; no cookies, no login.
//
// One thread; blocks. libcurl is known to http_fetch.cc alone.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "client/cli/download/part_file.h"
#include "client/cli/progress_bar.h"

namespace lumaedit::client::cli {

enum class FetchEnd {
  kWhole,    // the part file holds all of it
  kGone,     // 401, 403, 404, 410, or a web page instead of a file: a fresh address may help
  kRefused,  // nothing that another try would change
  kBroken,   // cut, stalled, no connection, 429, 5xx: what came is kept, and another try may help
  kNotWritten,  // the disk; `text` says it
  kStopped,     // by the stop token
};

struct FetchAnswer {
  FetchEnd end = FetchEnd::kBroken;
  std::string text;  // for people; never the address, which may be a signed one
};

class HttpFetch {
 public:
  // `ca_file` empty: the system's authorities.
  HttpFetch(std::string ca_file, std::stop_token stop);
  ~HttpFetch();

  HttpFetch(const HttpFetch&) = delete;
  HttpFetch& operator=(const HttpFetch&) = delete;

  // Goes on where `part` ends when the server has the same file still; else begins anew.
  FetchAnswer Get(const std::string& url, PartFile& part, ProgressBar& bar);

 private:
  class Transfer;

  const std::string ca_file_;
  const std::stop_token stop_;
  void* curl_;  // a CURL*, reused for its connection
};

}  // namespace lumaedit::client::cli

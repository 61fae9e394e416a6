// Fetches the files of one job's outcome: goes on after cuts, and asks once for fresh addresses
// when the old ones are gone.
//
// One thread; blocks. Notes go to `note` while the bar is drawn.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/download/http_fetch.h"
#include "client/result.h"
#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client::cli {

struct DownloadOptions {
  std::string ca_file;  // empty: the system's authorities
  bool quiet = false;   // no bar
  // Asks the gateway for fresh addresses.
  std::function<Result<v1::Outcome>()> refresh;
  // Says something to people; `line` is to be paused meanwhile.
  std::function<void(LiveLine* line, const std::string& text)> note;
  std::stop_token stop;
};

struct DownloadFailure {
  int exit_code = 0;
  std::string text;                  // empty: `error` says it
  std::optional<ClientError> error;  // what the gateway answered to the refresh
};

// Where the n-th further file of an outcome goes: "out/a.mp4" and an address that ends with
// "x.exr?s=1" give "out/a.exr"; "out/a-2.exr" for the second of that name. `taken` are the names
// that are given already.
std::string NameBeside(const std::string& video_file, const std::string& url,
                       const std::vector<std::string>& taken);

class Downloader {
 public:
  Downloader(v1::Outcome outcome, DownloadOptions options);

  // Fetches the file that the outcome has at `index` into `path`: 0 is the video, 1… are the
  // others. Unset: it is there, whole.
  std::optional<DownloadFailure> Fetch(int index, const std::string& path);

  // Bytes of the file that was fetched last.
  std::int64_t bytes() const { return bytes_; }

 private:
  std::optional<std::string> Url(int index) const;
  std::optional<DownloadFailure> Refresh(const std::string& why);
  bool Pause(absl::Duration wait) const;

  v1::Outcome outcome_;
  const DownloadOptions options_;
  HttpFetch fetch_;
  bool refreshed_ = false;
  std::int64_t bytes_ = 0;
};

}  // namespace lumaedit::client::cli

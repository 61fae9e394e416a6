#include "client/cli/download/downloader.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/cli/exit_code.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

namespace fs = std::filesystem;

// In a row without a byte between them.
constexpr int kMostTries = 5;
constexpr std::size_t kLongestExtension = 8;

// ".exr" of "https://h/a/b.exr?sig=1"; ".bin" where there is none that a file system likes.
std::string ExtensionOf(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  const std::string extension = fs::path(path.substr(path.rfind('/') + 1)).extension().string();
  const bool good = extension.size() > 1 && extension.size() <= kLongestExtension &&
                    std::all_of(extension.begin() + 1, extension.end(),
                                [](unsigned char c) { return absl::ascii_isalnum(c); });
  return good ? absl::AsciiStrToLower(extension) : ".bin";
}

}  // namespace

std::string NameBeside(const std::string& video_file, const std::string& url,
                       const std::vector<std::string>& taken) {
  const fs::path video(video_file);
  const std::string stem = (video.parent_path() / video.stem()).string();
  const std::string extension = ExtensionOf(url);
  std::string name = stem + extension;
  for (int number = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++number) {
    name = absl::StrCat(stem, "-", number, extension);
  }
  return name;
}

Downloader::Downloader(v1::Outcome outcome, DownloadOptions options)
    : outcome_(std::move(outcome)),
      options_(std::move(options)),
      fetch_(options_.ca_file, options_.stop) {}

std::optional<std::string> Downloader::Url(int index) const {
  if (index == 0) return outcome_.video_url();
  if (index > outcome_.other_urls_size()) return std::nullopt;
  return outcome_.other_urls(index - 1);
}

std::optional<DownloadFailure> Downloader::Fetch(int index, const std::string& path) {
  PartFile part(path);
  if (const absl::Status status = part.Open(); !status.ok()) {
    const int code = absl::IsAborted(status) ? kExitConflict : kExitOutput;
    return DownloadFailure{code, std::string(status.message()), {}};
  }
  ProgressBar bar({.what = fs::path(path).filename().string(), .quiet = options_.quiet});
  Backoff backoff({});
  int tries = 0;
  for (;;) {
    const std::optional<std::string> url = Url(index);
    if (!url) return DownloadFailure{kExitGone, "the fresh outcome has this file no more", {}};
    const std::int64_t before = part.size();
    const FetchAnswer answer = fetch_.Get(*url, part, bar);
    switch (answer.end) {
      case FetchEnd::kWhole: {
        bytes_ = part.size();
        const absl::Status finished = part.Finish();
        if (!finished.ok()) {
          return DownloadFailure{kExitOutput, std::string(finished.message()), {}};
        }
        bar.Finish();
        return std::nullopt;
      }
      case FetchEnd::kGone:
        if (auto failure = Refresh(answer.text)) return failure;
        options_.note(bar.line(), absl::StrCat(answer.text, "; got a fresh address"));
        continue;
      case FetchEnd::kRefused:
        return DownloadFailure{kExitGone, answer.text, {}};
      case FetchEnd::kNotWritten:
        return DownloadFailure{kExitOutput, answer.text, {}};
      case FetchEnd::kStopped:
        return DownloadFailure{kExitInterrupted, answer.text, {}};
      case FetchEnd::kBroken:
        break;
    }
    if (part.size() > before) {
      tries = 0;
      backoff.Reset();
    }
    if (++tries >= kMostTries) return DownloadFailure{kExitUnavailable, answer.text, {}};
    const absl::Duration wait = backoff.Next(std::nullopt);
    options_.note(
        bar.line(),
        absl::StrCat(answer.text, "; going on at ", Bytes(static_cast<double>(part.size())), " in ",
                     absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
    if (!Pause(wait)) return DownloadFailure{kExitInterrupted, "interrupted", {}};
  }
}

std::optional<DownloadFailure> Downloader::Refresh(const std::string& why) {
  if (refreshed_) {
    return DownloadFailure{
        kExitGone, absl::StrCat("the output is gone: ", why, ", also at a fresh address"), {}};
  }
  refreshed_ = true;
  Result<v1::Outcome> fresh = options_.refresh();
  if (!fresh.ok()) return DownloadFailure{0, "", fresh.error()};
  if (fresh->video_url().empty()) {
    return DownloadFailure{
        kExitGone,
        absl::StrCat("the output is gone: ", why, ", and the upstream has no other"),
        {}};
  }
  outcome_ = *std::move(fresh);
  return std::nullopt;
}

bool Downloader::Pause(absl::Duration wait) const {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, options_.stop, absl::ToChronoNanoseconds(wait), [] { return false; });
  return !options_.stop.stop_requested();
}

}  // namespace lumaedit::client::cli

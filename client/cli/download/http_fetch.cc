#include "client/cli/download/http_fetch.h"

#include <curl/curl.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lumaedit::client::cli {
namespace {

constexpr long kConnectSeconds = 15;
constexpr long kStallSeconds = 60;
constexpr long kMostRedirects = 5;
constexpr long kBufferBytes = 256 << 10;
constexpr char kHttps[] = "https";

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t total = 0;  // 0: not told
};

// "bytes 100-199/200" (RFC 9110 section 14.4).
bool ReadContentRange(absl::string_view text, Range& range) {
  if (!absl::ConsumePrefix(&text, "bytes ")) return false;
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, '/');
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(parts.first, '-');
  return absl::SimpleAtoi(ends.first, &range.first) && absl::SimpleAtoi(ends.second, &range.last) &&
         range.first >= 0 && range.last >= range.first &&
         (parts.second == "*" ||
          (absl::SimpleAtoi(parts.second, &range.total) && range.total > range.last));
}

bool MayHelp(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_NOT_BUILT_IN:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY:
      return false;
    default:
      return true;
  }
}

}  // namespace

// What one GET learns while it runs; libcurl calls it on the thread of Get.
class HttpFetch::Transfer {
 public:
  Transfer(CURL* curl, const std::stop_token& stop, PartFile& part, ProgressBar& bar)
      : curl_(curl), stop_(stop), part_(part), bar_(bar), asked_from_(part.size()) {}

  static std::size_t OnBytes(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.Take({bytes, size}) ? size : CURL_WRITEFUNC_ERROR;
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->stop_.stop_requested() ? 1 : 0;
  }

  FetchAnswer End(CURLcode code, const char* text) {
    if (stop_.stop_requested()) return {FetchEnd::kStopped, "interrupted"};
    if (code == CURLE_OK && !begun_) Begin();
    if (answer_) return *answer_;
    if (code != CURLE_OK) {
      const char* words = *text != '\0' ? text : curl_easy_strerror(code);
      return {MayHelp(code) ? FetchEnd::kBroken : FetchEnd::kRefused, words};
    }
    if (part_.size() == 0) return {FetchEnd::kBroken, "the server sent an empty file"};
    if (total_ > 0 && part_.size() != total_) {
      return {FetchEnd::kBroken,
              absl::StrCat("the file has ", part_.size(), " bytes, the server said ", total_)};
    }
    return {FetchEnd::kWhole, ""};
  }

 private:
  // False ends the transfer; answer_ says why.
  bool Take(absl::string_view bytes) {
    if (!begun_) Begin();
    if (answer_) return false;
    if (total_ > 0 && part_.size() + static_cast<std::int64_t>(bytes.size()) > total_) {
      return StartAnew("the server sent more than it had said");
    }
    if (const absl::Status status = part_.Append(bytes); !status.ok()) return NotWritten(status);
    bar_.Set(part_.size());
    return true;
  }

  // The headers are there.
  void Begin() {
    begun_ = true;
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    const absl::string_view type = Header("content-type");
    if (status == 206) {
      Resume();
    } else if (status == 200 && absl::StartsWithIgnoreCase(type, "text/html")) {
      answer_ = {FetchEnd::kGone, "the server sent a web page instead of a file"};
    } else if (status == 200) {
      BeginAnew();
    } else if (status == 416) {
      StartAnew("the server has no such range");
    } else if (status == 401 || status == 403 || status == 404 || status == 410) {
      answer_ = {FetchEnd::kGone, absl::StrCat("the server answered ", status)};
    } else if (status == 408 || status == 429 || status >= 500) {
      answer_ = {FetchEnd::kBroken, absl::StrCat("the server answered ", status)};
    } else {
      answer_ = {FetchEnd::kRefused, absl::StrCat("the server answered ", status)};
    }
  }

  void Resume() {
    Range range;
    if (!ReadContentRange(Header("content-range"), range) || range.first != asked_from_ ||
        (range.total > 0 && range.last != range.total - 1)) {
      StartAnew("the server sent another range");
      return;
    }
    total_ = range.total;
    StartBar();
  }

  void BeginAnew() {
    curl_off_t length = -1;
    curl_easy_getinfo(curl_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    total_ = length > 0 ? length : 0;
    // A weak tag is no use for a range (RFC 9110 section 13.1.5).
    const std::string etag(Header("etag"));
    const bool strong = !etag.empty() && !absl::StartsWith(etag, "W/");
    const absl::Status status = part_.Begin(strong ? etag : std::string(Header("last-modified")));
    if (!status.ok()) {
      NotWritten(status);
      return;
    }
    StartBar();
  }

  void StartBar() {
    if (const absl::Status status = part_.Reserve(total_); !status.ok()) {
      NotWritten(status);
      return;
    }
    bar_.SetTotal(total_);
    bar_.Start(part_.size());
  }

  bool StartAnew(const char* why) {
    const absl::Status status = part_.Begin("");
    if (!status.ok()) return NotWritten(status);
    answer_ = {FetchEnd::kBroken, why};
    return false;
  }

  bool NotWritten(const absl::Status& status) {
    answer_ = {FetchEnd::kNotWritten, std::string(status.message())};
    return false;
  }

  absl::string_view Header(const char* name) const {
    curl_header* header = nullptr;
    // -1: of the last answer, after redirects.
    if (curl_easy_header(curl_, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return {};
    return header->value;
  }

  CURL* const curl_;
  const std::stop_token& stop_;
  PartFile& part_;
  ProgressBar& bar_;
  const std::int64_t asked_from_;
  bool begun_ = false;
  std::int64_t total_ = 0;
  std::optional<FetchAnswer> answer_;
};

HttpFetch::HttpFetch(std::string ca_file, std::stop_token stop)
    : ca_file_(std::move(ca_file)), stop_(std::move(stop)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_ = curl_easy_init();
}

HttpFetch::~HttpFetch() {
  curl_easy_cleanup(curl_);
  curl_global_cleanup();
}

FetchAnswer HttpFetch::Get(const std::string& url, PartFile& part, ProgressBar& bar) {
  CURL* const curl = curl_;
  if (curl == nullptr) return {FetchEnd::kRefused, "libcurl cannot be started"};
  char words[CURL_ERROR_SIZE] = {};
  Transfer transfer(curl, stop_, part, bar);
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, kHttps);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, kHttps);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file_.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file_.c_str());
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "luma-edit/" LUMAEDIT_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::OnBytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);

  curl_slist* headers = nullptr;
  std::string range;
  if (part.size() > 0 && !part.tag().empty()) {
    range = absl::StrCat(part.size(), "-");
    curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
    headers = curl_slist_append(headers, absl::StrCat("If-Range: ", part.tag()).c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  }
  const CURLcode code = curl_easy_perform(curl);
  const FetchAnswer answer = transfer.End(code, words);
  curl_slist_free_all(headers);
  return answer;
}

}  // namespace lumaedit::client::cli

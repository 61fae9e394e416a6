#include "client/cli/live_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace lumaedit::client::cli {
namespace {

constexpr char kErase[] = "\r\x1b[K";
constexpr int kUsualColumns = 80;

int ColumnsOf(int descriptor) {
  winsize size = {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

void WriteAll(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // the terminal is gone; the watch goes on without it
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

LiveLine::LiveLine(int descriptor, std::function<std::string(int)> text)
    : descriptor_(descriptor),
      text_(std::move(text)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

LiveLine::~LiveLine() {
  thread_.request_stop();
  thread_.join();
  const std::lock_guard lock(mutex_);
  EraseLocked();
}

void LiveLine::Redraw() {
  {
    const std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  wake_.notify_one();
}

void LiveLine::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (pauses_ == 0) DrawLocked();
    dirty_ = false;
    wake_.wait_for(lock, stop, std::chrono::seconds(1), [this] { return dirty_; });
  }
}

void LiveLine::EraseLocked() {
  if (drawn_) WriteAll(descriptor_, kErase);
  drawn_ = false;
}

void LiveLine::DrawLocked() {
  // A full last column makes some terminals wrap, and a wrapped line cannot be erased in place.
  const int columns = ColumnsOf(descriptor_) - 1;
  WriteAll(descriptor_, absl::StrCat(kErase, Fit(text_(columns), columns)));
  drawn_ = true;
}

LiveLine::Pause::Pause(LiveLine* line) : line_(line) {
  if (line_ == nullptr) return;
  const std::lock_guard lock(line_->mutex_);
  ++line_->pauses_;
  line_->EraseLocked();
}

LiveLine::Pause::~Pause() {
  if (line_ == nullptr) return;
  {
    const std::lock_guard lock(line_->mutex_);
    --line_->pauses_;
    line_->dirty_ = true;
  }
  line_->wake_.notify_one();
}

bool CanShowLiveLine(int descriptor) {
  const char* terminal = std::getenv("TERM");
  return isatty(descriptor) == 1 && terminal != nullptr && absl::string_view(terminal) != "dumb";
}

}  // namespace lumaedit::client::cli

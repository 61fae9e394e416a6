#include "client/cli/program.h"

#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/edit_request.h"
#include "client/cli/exit_code.h"
#include "client/cli/live_line.h"
#include "client/cli/printer.h"
#include "client/cli/text.h"
#include "client/cli/watch_view.h"
#include "client/client.h"
#include "client/job_state.h"

namespace lumaedit::client::cli {
namespace {

class Program {
 public:
  Program(const Arguments& arguments, const Interrupt& interrupt, Client& client)
      : arguments_(arguments),
        interrupt_(interrupt),
        client_(client),
        printer_(std::cout, std::cerr, arguments.json, nullptr) {}

  int Run() {
    switch (arguments_.command) {
      case Command::kSubmit:
        return Submit();
      case Command::kWatch:
        return Watch(arguments_.job_id, arguments_.after_sequence, /*return_at_held=*/false);
      case Command::kGet:
        return Get();
      case Command::kList:
        return List();
      case Command::kCancel:
        return Cancel();
    }
    return kExitUsage;
  }

 private:
  int Submit();
  int Watch(const std::string& job_id, std::int32_t after_sequence, bool return_at_held);
  int Get();
  int List();
  int Cancel();

  CallOptions ForCall() {
    CallOptions call;
    call.timeout = arguments_.timeout;
    call.stop = interrupt_.token();
    call.on_retry = [this](const ClientError& error, absl::Duration wait) {
      printer_.Note(absl::StrCat(error.ToString(), "; trying again in ",
                                 absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
    };
    return call;
  }

  // The code for a call that failed, which is printed.
  int Failed(const ClientError& error) {
    if (interrupt_.signal() != 0) return 128 + interrupt_.signal();
    printer_.PrintError(error);
    return ExitCodeOf(error);
  }

  const Arguments& arguments_;
  const Interrupt& interrupt_;
  Client& client_;
  Printer printer_;
};

int Program::Submit() {
  Result<v1::SubmitEditRequest> request = MakeSubmitRequest(arguments_);
  if (!request.ok()) return Failed(request.error());
  const std::string request_id = request->request_id();
  const Result<v1::Job> job = client_.Submit(std::move(*request), ForCall());
  if (!job.ok()) {
    const int code = Failed(job.error());
    if (code == kExitUnavailable || interrupt_.signal() != 0) {
      printer_.Note(
          absl::StrCat("the job may have been accepted. To find out, repeat the command "
                       "with --request-id ",
                       request_id, ": it makes one job, and is billed at most once"));
    }
    return code;
  }
  printer_.PrintJob(*job);
  if (!arguments_.submit.watch) return kExitOk;
  return Watch(job->id(), 0, /*return_at_held=*/true);
}

int Program::Get() {
  const Result<v1::Job> job = client_.Get(arguments_.job_id, ForCall());
  if (!job.ok()) return Failed(job.error());
  printer_.PrintJob(*job);
  return kExitOk;
}

int Program::List() {
  constexpr int kPage = 500;
  const ListArguments& from = arguments_.list;
  v1::ListJobsRequest request;
  for (const v1::Job::State state : from.states) request.add_states(state);
  request.mutable_labels()->insert(arguments_.labels.begin(), arguments_.labels.end());
  if (from.created_after.has_value()) {
    const std::int64_t nanos = absl::ToUnixNanos(*from.created_after);
    request.mutable_created_after()->set_seconds(nanos / 1000000000);
    request.mutable_created_after()->set_nanos(static_cast<std::int32_t>(nanos % 1000000000));
  }
  int printed = 0;
  do {
    request.set_page_size(from.limit == 0 ? kPage : std::min(kPage, from.limit - printed));
    const Result<v1::ListJobsResponse> page = client_.List(request, ForCall());
    if (!page.ok()) return Failed(page.error());
    for (const v1::Job& job : page->jobs()) {
      if (from.limit != 0 && printed == from.limit) return kExitOk;
      printer_.PrintListed(job);
      ++printed;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && (from.limit == 0 || printed < from.limit));
  return kExitOk;
}

int Program::Cancel() {
  const Result<v1::CancelJobResponse> response = client_.Cancel(arguments_.job_id, ForCall());
  if (!response.ok()) return Failed(response.error());
  printer_.PrintCancel(*response);
  return response->result() == v1::CancelJobResponse::RESULT_TOO_LATE ? kExitConflict : kExitOk;
}

int Program::Watch(const std::string& job_id, std::int32_t after_sequence, bool return_at_held) {
  WatchView view;
  std::optional<LiveLine> line;
  if (!arguments_.json && CanShowLiveLine(STDOUT_FILENO)) {
    line.emplace(STDOUT_FILENO, [&view](int columns) { return view.Line(absl::Now(), columns); });
  }
  LiveLine* const live = line.has_value() ? &*line : nullptr;
  const auto redraw = [live] {
    if (live != nullptr) live->Redraw();
  };
  Printer printer(std::cout, std::cerr, arguments_.json, live);

  WatchOptions options;
  options.heartbeat_interval = arguments_.heartbeat;
  options.max_outage = arguments_.give_up_after;
  options.stop = interrupt_.token();
  // A HELD that is replayed may be over: only what the job is now counts.
  bool caught_up = false;
  options.on_caught_up = [&](const v1::Job& job) {
    caught_up = true;
    view.Take(job);
    redraw();
    const bool held = return_at_held && job.state() == v1::Job::STATE_HELD;
    return held ? WatchStep::kStop : WatchStep::kGoOn;
  };
  options.on_heartbeat = [&](const v1::Heartbeat& heartbeat) {
    view.Take(heartbeat);
    redraw();
  };
  options.on_interrupted = [&](const ClientError& error, absl::Duration wait) {
    caught_up = false;
    view.Interrupted(absl::Now() + wait);
    // The live line shows it already; a pipe has no other place than stderr.
    if (live == nullptr) {
      printer.Note(absl::StrCat(error.ToString(), "; resuming in ",
                                absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
    }
    redraw();
  };

  std::int32_t last = after_sequence;
  bool output_ok = true;
  const Result<WatchEnd> end = client_.Watch(
      job_id, after_sequence,
      [&](const v1::Transition& transition) {
        last = transition.sequence();
        view.Take(transition);
        printer.PrintTransition(job_id, transition);
        output_ok = printer.FlushOk();
        const bool held = return_at_held && caught_up && transition.state() == v1::Job::STATE_HELD;
        return held || !output_ok ? WatchStep::kStop : WatchStep::kGoOn;
      },
      options);
  line.reset();

  if (!output_ok) return kExitOutput;
  const std::string resume = absl::StrCat("luma-edit watch ", job_id, " --after ", last);
  if (!end.ok()) {
    const int code = Failed(end.error());
    if (interrupt_.signal() != 0) {
      printer_.Note(absl::StrCat("no longer watching. The job goes on; resume with: ", resume));
    } else if (code == kExitUnavailable) {
      printer_.Note(absl::StrCat("the job goes on; resume with: ", resume));
    }
    return code;
  }
  if (end->state == v1::Job::STATE_HELD) {
    printer_.Note(absl::StrCat(
        "the job is HELD: the upstream may have accepted it, and it will not be sent again. Look "
        "at "
        "its candidates (luma-edit get ",
        job_id, ") and let somebody who may decide resolve it. The gateway goes on looking; ",
        "to wait: ", resume));
  }
  return ExitCodeOf(end->state);
}

}  // namespace

int RunProgram(const Arguments& arguments, const Interrupt& interrupt) {
  ClientOptions options;
  options.connection = arguments.connection;
  const Result<std::unique_ptr<Client>> client = Client::Create(options);
  if (!client.ok()) {
    Printer(std::cout, std::cerr, arguments.json, nullptr).PrintError(client.error());
    return ExitCodeOf(client.error());
  }
  const int code = Program(arguments, interrupt, **client).Run();
  std::cout.flush();
  return code == kExitOk && !std::cout.good() ? static_cast<int>(kExitOutput) : code;
}

}  // namespace lumaedit::client::cli

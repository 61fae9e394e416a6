// watch-recorder: submits jobs, watches them with a crowd, asks the store at the end, and writes
// all of it down (history_log.h). It judges nothing and is not the client library.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/history/crowd.h"
#include "tests/history/watching.h"

namespace lumaedit {
namespace {

struct Options {
  CrowdOptions crowd;
  std::string out;
  int submit = 0;          // jobs to submit; 0 = those that the list shows
  double spread = 10;      // seconds over which they are submitted
  int job_watches = 4;     // a job
  int job_waits = 1;       // a job
  int jobs_watches = 20;   // of all jobs
  double cancelled = 0.1;  // share of the jobs that are cancelled
  bool hostile = true;
  double limit = 120;  // seconds until all must be over
};

class Recorder {
 public:
  explicit Recorder(const Options& options)
      : options_(options), log_(options.out), crowd_(options.crowd, log_), stub_(crowd_.Stub()) {}

  int Run() {
    std::vector<std::string> ids;
    const std::string token = List([&](const v1::Job& job) {
      ids.push_back(job.id());
      log_.Write(absl::StrCat("L\t", job.id(), "\t", job.sequence()));
    });
    const int jobs = options_.submit > 0 ? options_.submit : static_cast<int>(ids.size());
    for (int n = 0; n < options_.jobs_watches; ++n) {
      crowd_.AddJobsWatch(token, jobs, crowd_.DrawBehaviour(options_.hostile));
    }
    if (options_.submit > 0) {
      ids = SubmitAll();
    } else {
      for (const std::string& id : ids) Watch(id);
    }
    // Whoever drives the jobs may wait for this line.
    std::puts("watching");
    std::fflush(stdout);
    const absl::Time end = absl::Now() + absl::Seconds(options_.limit);
    bool done = crowd_.AwaitDone(absl::Seconds(1));
    while (!done && absl::Now() < end) {
      AbandonHeld();
      done = crowd_.AwaitDone(absl::Seconds(1));
    }
    if (!done) std::fprintf(stderr, "not every watcher came to its end\n");
    for (const std::string& id : ids) AskStore(id);
    List([&](const v1::Job& job) {
      log_.Write(absl::StrCat("J\t", job.id(), "\t", job.sequence(), "\t", job.state()));
    });
    crowd_.Leave();
    return done ? 0 : 1;
  }

 private:
  static void SetUp(grpc::ClientContext& context) {
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }

  // Calls until it is answered: the gateway may be away.
  template <typename Call>
  void Insist(const Call& call) {
    for (;;) {
      grpc::ClientContext context;
      SetUp(context);
      const grpc::Status status = call(context);
      if (status.ok()) return;
      std::fprintf(stderr, "again after %d %s\n", status.error_code(),
                   status.error_message().c_str());
      Rest(0.05);
    }
  }

  void Rest(double seconds) {
    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;
    crowd_.timers().After(seconds, [&] {
      const std::lock_guard lock(mutex);
      over = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
  }

  // All jobs; answers with the token of the first page.
  template <typename Take>
  std::string List(const Take& take) {
    v1::ListJobsRequest request;
    request.set_page_size(500);
    std::string token;
    do {
      v1::ListJobsResponse page;
      Insist([&](grpc::ClientContext& context) {
        page.Clear();
        return stub_->ListJobs(&context, request, &page);
      });
      if (token.empty()) token = page.watch_token();
      for (const v1::Job& job : page.jobs()) take(job);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return token;
  }

  std::vector<std::string> SubmitAll() {
    std::vector<std::string> ids;
    for (int n = 0; n < options_.submit; ++n) {
      v1::SubmitEditRequest request;
      request.set_request_id(
          absl::StrCat("00000000-0000-4000-8000-", absl::Dec(n + 1, absl::kZeroPad12)));
      request.mutable_edit()->set_prompt(absl::StrCat("storm ", n));
      request.mutable_edit()->set_generation_id("gen-1");
      v1::Job job;
      Insist(
          [&](grpc::ClientContext& context) { return stub_->SubmitEdit(&context, request, &job); });
      ids.push_back(job.id());
      Watch(job.id());
      // Somebody who comes late.
      Watch(ids[static_cast<std::size_t>(crowd_.Random() * static_cast<double>(ids.size()))], 1, 0);
      if (crowd_.Random() < options_.cancelled) Cancel(job.id());
      Rest(2 * crowd_.Random() * options_.spread / options_.submit);
    }
    return ids;
  }

  void Watch(const std::string& id) { Watch(id, options_.job_watches, options_.job_waits); }
  void Watch(const std::string& id, int watches, int waits) {
    for (int n = 0; n < watches; ++n) {
      crowd_.AddJobWatch(id, crowd_.DrawBehaviour(options_.hostile));
    }
    for (int n = 0; n < waits; ++n) crowd_.AddJobWait(id, crowd_.DrawBehaviour(options_.hostile));
  }

  void Cancel(const std::string& id) {
    v1::CancelJobRequest request;
    request.set_job_id(id);
    Insist([&](grpc::ClientContext& context) {
      v1::CancelJobResponse response;
      return stub_->CancelJob(&context, request, &response);
    });
  }

  // A kill may leave a job of which nobody can say whether it was sent: a person decides.
  void AbandonHeld() {
    v1::ListJobsRequest request;
    request.add_states(v1::Job::STATE_HELD);
    grpc::ClientContext context;
    SetUp(context);
    v1::ListJobsResponse page;
    if (!stub_->ListJobs(&context, request, &page).ok()) return;
    for (const v1::Job& job : page.jobs()) {
      v1::ResolveJobRequest resolve;
      resolve.set_job_id(job.id());
      resolve.set_expected_sequence(job.sequence());
      resolve.set_abandon(true);
      grpc::ClientContext of_resolve;
      SetUp(of_resolve);
      v1::Job resolved;
      // A record that was found meanwhile ends the hold as well.
      static_cast<void>(stub_->ResolveJob(&of_resolve, resolve, &resolved));
    }
  }

  // A job's whole history. WaitJob answers from the store, page by page; a WatchJob would be told
  // out of the same memory that told the watchers.
  void AskStore(const std::string& id) {
    v1::WaitJobRequest request;
    request.set_job_id(id);
    request.mutable_wait()->set_seconds(5);
    v1::WaitJobResponse answer;
    do {
      Insist([&](grpc::ClientContext& context) {
        answer.Clear();
        return stub_->WaitJob(&context, request, &answer);
      });
      for (const v1::Transition& transition : answer.transitions()) {
        log_.Write(absl::StrCat("S\t", id, "\t", transition.sequence(), "\t", transition.state(),
                                "\t", ContentOf(transition)));
        request.set_after_sequence(transition.sequence());
      }
    } while (request.after_sequence() < answer.job().sequence());
  }

  const Options options_;
  HistoryLog log_;
  Crowd crowd_;
  const std::unique_ptr<v1::EditService::Stub> stub_;
};

}  // namespace
}  // namespace lumaedit

int main(int argc, char** argv) {
  lumaedit::Options options;
  CLI::App app("watch-recorder: watches jobs with a crowd and writes down what it sees.");
  app.add_option("--address", options.crowd.address)->required();
  app.add_option("--out", options.out)->required();
  app.add_option("--seed", options.crowd.seed);
  app.add_option("--connections", options.crowd.connections);
  double slowness = 0.1;
  app.add_option("--slowness", slowness, "most seconds between two reads of a slow reader");
  app.add_option("--submit", options.submit, "jobs to submit; 0: those that the list shows");
  app.add_option("--spread", options.spread, "seconds over which they are submitted");
  app.add_option("--job-watches", options.job_watches, "a job");
  app.add_option("--job-waits", options.job_waits, "a job");
  app.add_option("--jobs-watches", options.jobs_watches, "of all jobs");
  app.add_option("--cancelled", options.cancelled, "share of jobs that are cancelled");
  app.add_flag("!--friendly", options.hostile, "nobody leaves, everybody reads");
  app.add_option("--limit", options.limit, "seconds until all must be over");
  CLI11_PARSE(app, argc, argv);
  options.crowd.slowness = absl::Seconds(slowness);
  return lumaedit::Recorder(options).Run();
}

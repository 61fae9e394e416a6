// What luma-edit prints: for people, for people through a pipe, and for programs.
//
// stdout carries what was asked for; stderr carries errors, hints and notes. Used by the main
// thread only, but for the live line, which draws itself.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/live_line.h"
#include "client/client_error.h"
#include "lumaedit/v1/edit_service.pb.h"

namespace lumaedit::client::cli {

class Printer {
 public:
  // `live` may be null: no terminal. With `json`, every line is one JSON object.
  Printer(std::ostream& out, std::ostream& err, bool json, LiveLine* live);

  void PrintJob(const v1::Job& job);
  // One line of `list`.
  void PrintListed(const v1::Job& job);
  void PrintTransition(const std::string& job_id, const v1::Transition& transition);
  // The same with the job in front, as lines of many jobs meet.
  void PrintTransitionOf(const std::string& job_id, const v1::Transition& transition);
  void PrintCancel(const v1::CancelJobResponse& response);

  // With json, `message`; else the lines, which are clean already.
  void PrintMessage(const google::protobuf::Message& message,
                    const std::vector<std::string>& lines);
  // Lines as they are, which are clean already.
  void PrintLines(const std::vector<std::string>& lines);

  // A failed call, with every violation and the reason.
  void PrintError(const ClientError& error);

  // For people, on stderr; nothing with json.
  void Note(const std::string& text);

  // False when stdout took not everything (a full disk, a closed pipe).
  bool FlushOk();

 private:
  void Line(const std::string& text);
  void PrintOutcome(const v1::Outcome& outcome);
  void PrintJobError(const v1::JobError& error);

  std::ostream& out_;
  std::ostream& err_;
  const bool json_;
  LiveLine* const live_;
};

// One transition as one line: number, state, cost, and what came out of it. `full` adds outcome and
// error, for a pipe, where one transition is one line.
std::string TransitionLine(const v1::Transition& transition, bool full);

}  // namespace lumaedit::client::cli

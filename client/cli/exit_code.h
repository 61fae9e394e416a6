// The exit codes of luma-edit. They are an interface: scripts decide by them. The table in
// client/README.md and in --help is this one.
#pragma once

#include <string>

#include "client/client_error.h"
#include "lumaedit/v1/job.pb.h"

namespace lumaedit::client::cli {

enum ExitCode : int {
  kExitOk = 0,           // done; of a watched job: SUCCEEDED
  kExitEditFailed = 1,   // the edit failed (state FAILED)
  kExitUsage = 2,        // wrong arguments, or the gateway refused a field or the video
  kExitHeld = 3,         // HELD: a person must decide
  kExitCancelled = 4,    // the job was cancelled
  kExitExpired = 5,      // the job was not finished before its deadline
  kExitNotFound = 6,     // no such job, or source, of this caller
  kExitUnavailable = 7,  // no answer: connection, time limit, an overloaded or stopping gateway
  kExitConflict = 8,  // the request id was used for another edit; too late to cancel; state moved
  kExitRefused = 9,   // price limit, budget, quota
  kExitNotAllowed = 10,    // not authenticated, or not permitted
  kExitGateway = 11,       // a fault of the gateway, or the address is not a gateway
  kExitOutput = 12,        // the output could not be written
  kExitGone = 13,          // the output cannot be fetched: gone, or its server refuses it
  kExitInterrupted = 130,  // SIGINT
  kExitTerminated = 143,   // SIGTERM
};

// Of a job that is watched no longer. States that are neither final nor HELD are kExitOk.
ExitCode ExitCodeOf(v1::Job::State state);

// Of a call that failed. The reason decides before the code.
ExitCode ExitCodeOf(const ClientError& error);

// The table for --help.
std::string ExitCodeHelp();

}  // namespace lumaedit::client::cli

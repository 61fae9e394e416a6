// What a command works with: its arguments, the client, the printer, and how its calls are made.
//
// Lives on the main thread for the run of one command.
#pragma once

#include "client/cli/arguments.h"
#include "client/cli/interrupt.h"
#include "client/cli/printer.h"
#include "client/client.h"

namespace lumaedit::client::cli {

class Session {
 public:
  // All must outlive the session. Prints to the process's standard streams.
  Session(const Arguments& arguments, const Interrupt& interrupt, Client& client);

  const Arguments& arguments() const { return arguments_; }
  const Interrupt& interrupt() const { return interrupt_; }
  Client& client() { return client_; }
  Printer& printer() { return printer_; }

  // With the user's time limit; ended by Ctrl-C; each repeat is said on stderr.
  CallOptions ForCall();

  // The exit code for a call that failed, which is printed.
  int Failed(const ClientError& error);

 private:
  const Arguments& arguments_;
  const Interrupt& interrupt_;
  Client& client_;
  Printer printer_;
};

}  // namespace lumaedit::client::cli

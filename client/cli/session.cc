#include "client/cli/session.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"

namespace lumaedit::client::cli {

Session::Session(const Arguments& arguments, const Interrupt& interrupt, Client& client)
    : arguments_(arguments),
      interrupt_(interrupt),
      client_(client),
      printer_(std::cout, std::cerr, arguments.json, nullptr) {}

CallOptions Session::ForCall() {
  CallOptions call;
  call.timeout = arguments_.timeout;
  call.stop = interrupt_.token();
  call.on_retry = [this](const ClientError& error, absl::Duration wait) {
    printer_.Note(absl::StrCat(error.ToString(), "; trying again in ",
                               absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(10)))));
  };
  return call;
}

int Session::Failed(const ClientError& error) {
  if (interrupt_.signal() != 0) return 128 + interrupt_.signal();
  printer_.PrintError(error);
  return ExitCodeOf(error);
}

}  // namespace lumaedit::client::cli

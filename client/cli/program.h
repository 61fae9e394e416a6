// luma-edit without its main: runs one command and says with which code to leave.
#pragma once

#include "client/cli/arguments.h"
#include "client/cli/interrupt.h"

namespace lumaedit::client::cli {

// Uses the process's standard streams. Runs on the calling thread, to the end or until `interrupt`.
int RunProgram(const Arguments& arguments, const Interrupt& interrupt);

}  // namespace lumaedit::client::cli

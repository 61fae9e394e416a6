// luma-edit: the command line of the Luma Edit Gateway.

#include <cstdlib>
#include <iostream>
#include <variant>

#include "client/cli/arguments.h"
#include "client/cli/interrupt.h"
#include "client/cli/program.h"

int main(int argc, char** argv) {
  using namespace lumaedit::client::cli;
  const auto parsed = ParseArguments(argc, argv);
  if (const auto* stop = std::get_if<ParseStop>(&parsed)) {
    (stop->exit_code == 0 ? std::cout : std::cerr) << stop->text;
    return stop->exit_code;
  }
  // gRPC's own log would draw over the live line; every error it has reaches the user by ours. Who
  // wants it sets the variable.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const Interrupt interrupt;
  return RunProgram(std::get<Arguments>(parsed), interrupt);
}

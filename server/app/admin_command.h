// luma-edit-gateway pause|resume|status|adopt: what a person on this machine asks of the gateway
// that runs, through its admin port.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace lumaedit {

// Unset: the arguments (without the program's name) ask for no such thing. Else the exit code: 0
// done, 1 nobody answers or it failed, 2 wrong arguments.
std::optional<int> RunAdminCommand(const std::vector<std::string>& arguments, std::ostream& out,
                                   std::ostream& err);

}  // namespace lumaedit

// luma-edit-gateway restore-check --data-dir FOLDER: for a data folder that was restored from a
// backup, before the gateway is started on it (protocol.md section 5).
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "server/base/log.h"

namespace lumaedit {

// Unset: the arguments (without the program's name) ask for something else. Else the exit code: 0
// done, 1 the store cannot be opened (a gateway has it, or it is damaged), 2 wrong arguments.
//
// Gives the store a new id, so that no watch token of the lost store is taken for one of this, and
// marks it: the next gateway sends nothing until it has compared the upstream's list with it.
std::optional<int> RunRestoreCommand(const std::vector<std::string>& arguments, std::ostream& out,
                                     std::ostream& err, Log& log);

}  // namespace lumaedit

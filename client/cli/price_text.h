// How quotes and budgets look to people.
//
// Pure functions, for any thread.
#pragma once

#include <string>
#include <vector>

#include "lumaedit/v1/price.pb.h"

namespace lumaedit::client::cli {

// One line a fact: price, blocks, length and how it is known, price table.
std::vector<std::string> QuoteLines(const v1::QuoteEditResponse& quote);

// Limit, use, what is left, and the window.
std::vector<std::string> BudgetLines(const v1::Budget& budget);

}  // namespace lumaedit::client::cli

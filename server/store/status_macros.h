// Passing a failed status on, in the one folder where nearly every line can fail.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define LUMAEDIT_STORE_JOIN2(a, b) a##b
#define LUMAEDIT_STORE_JOIN(a, b) LUMAEDIT_STORE_JOIN2(a, b)

#define RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                  \
    if (::absl::Status status_of_expression = (expression); !status_of_expression.ok()) \
      return status_of_expression;                                                      \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_AS(LUMAEDIT_STORE_JOIN(result_of_line_, __LINE__), target, expression)

#define ASSIGN_OR_RETURN_AS(result, target, expression) \
  auto result = (expression);                           \
  if (!result.ok()) return std::move(result).status();  \
  target = *std::move(result)

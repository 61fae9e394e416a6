#include "client/cli/commands/commands.h"

#include "client/cli/commands/budget.h"
#include "client/cli/commands/cancel.h"
#include "client/cli/commands/download.h"
#include "client/cli/commands/get.h"
#include "client/cli/commands/list.h"
#include "client/cli/commands/quote.h"
#include "client/cli/commands/refresh.h"
#include "client/cli/commands/report.h"
#include "client/cli/commands/resolve.h"
#include "client/cli/commands/submit.h"
#include "client/cli/commands/upload.h"
#include "client/cli/commands/watch.h"

namespace lumaedit::client::cli {
namespace {

constexpr CommandEntry kCommands[] = {
    {Command::kSubmit, &AddSubmit, &RunSubmit},    {Command::kUpload, &AddUpload, &RunUpload},
    {Command::kWatch, &AddWatch, &RunWatch},       {Command::kGet, &AddGet, &RunGet},
    {Command::kList, &AddList, &RunList},          {Command::kCancel, &AddCancel, &RunCancel},
    {Command::kQuote, &AddQuote, &RunQuote},       {Command::kBudget, &AddBudget, &RunBudget},
    {Command::kReport, &AddReport, &RunReport},    {Command::kResolve, &AddResolve, &RunResolve},
    {Command::kRefresh, &AddRefresh, &RunRefresh}, {Command::kDownload, &AddDownload, &RunDownload},
};

}  // namespace

absl::Span<const CommandEntry> AllCommands() { return kCommands; }

}  // namespace lumaedit::client::cli

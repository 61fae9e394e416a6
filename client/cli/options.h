// Kinds of options that several commands share, on top of CLI11.
//
// Used once at start, on the main thread. `arguments` and what `target` and `set` reach must
// outlive the parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/arguments.h"
#include "google/protobuf/descriptor.h"

namespace lumaedit::client::cli {

// Ends the parsing with `why` as the error of `option`.
[[noreturn]] void Refuse(const std::string& option, const std::string& why);

// A time span like 90s, 2.5s, 15m or 1h30m, both bounds allowed.
CLI::Option* AddDuration(CLI::App* app, const std::string& name, const std::string& help,
                         absl::Duration least, absl::Duration most,
                         std::function<void(absl::Duration)> set);

// An amount like 1.08, in micro-dollars.
CLI::Option* AddUsd(CLI::App* app, const std::string& name, const std::string& help,
                    std::function<void(std::int64_t usd_micros)> set);

// --label KEY=VALUE, into Arguments::labels.
void AddLabels(CLI::App* app, Arguments& arguments, const std::string& help);

// --give-up-after, into Arguments::give_up_after.
void AddGiveUpAfter(CLI::App* app, Arguments& arguments);

// --heartbeat and --give-up-after.
void AddWatching(CLI::App* app, Arguments& arguments);

// The one positional argument of the commands about one job, into Arguments::job_id.
CLI::Option* AddJobId(CLI::App* app, Arguments& arguments);

// "hdr-exr-1080p" of an enum value OUTPUT_FORMAT_HDR_EXR_1080P.
std::string FlagWord(const std::string& name, absl::string_view prefix);

// The words of an enum, each with its value; zero (unset) is not among them.
template <typename Enum>
std::vector<std::pair<std::string, Enum>> WordsOf(
    const google::protobuf::EnumDescriptor* descriptor, absl::string_view prefix) {
  std::vector<std::pair<std::string, Enum>> words;
  for (int at = 0; at < descriptor->value_count(); ++at) {
    const auto* value = descriptor->value(at);
    if (value->number() == 0) continue;
    words.emplace_back(FlagWord(value->name(), prefix), static_cast<Enum>(value->number()));
  }
  return words;
}

template <typename Enum>
CLI::Option* AddEnum(CLI::App* app, const std::string& name, Enum* target,
                     const google::protobuf::EnumDescriptor* descriptor, absl::string_view prefix,
                     const std::string& help) {
  const auto words = WordsOf<Enum>(descriptor, prefix);
  std::string choices;
  for (const auto& [word, value] : words)
    absl::StrAppend(&choices, choices.empty() ? "" : ", ", word);
  return app
      ->add_option_function<std::string>(
          name,
          [=](const std::string& text) {
            const std::string wanted =
                absl::StrReplaceAll(absl::AsciiStrToLower(text), {{"_", "-"}});
            for (const auto& [word, value] : words) {
              if (word == wanted) {
                *target = value;
                return;
              }
            }
            Refuse(name, absl::StrCat("\"", text, "\" is none of ", choices));
          },
          absl::StrCat(help, ": ", choices))
      ->type_name("WORD");
}

}  // namespace lumaedit::client::cli

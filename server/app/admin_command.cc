#include "server/app/admin_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "server/app/admin_server.h"
#include "server/app/config.h"

namespace lumaedit {

namespace json = boost::json;

namespace {

struct Command {
  const char* name;
  const char* method;
  const char* path;
  const char* meaning;
  std::vector<const char*> words = {};  // what follows it, and the fields of the body
};

const Command kCommands[] = {
    {"pause", "POST", "/pause", "Send nothing to the upstream; everything else goes on"},
    {"resume", "POST", "/resume", "Send again"},
    {"status", "GET", "/status", "What runs, what is held, and the money in doubt"},
    {"adopt",
     "POST",
     "/adopt",
     "Give a HELD job the upstream's record with this id, whatever it is",
     {"job_id", "upstream_id"}}};

double Usd(const json::value& micros) { return micros.to_number<double>() / 1e6; }

// Why nothing is sent yet, and what a person can do about it.
void PrintRestore(const json::object& status, std::ostream& out) {
  const json::value* wait = status.if_contains("restore_waits_for");
  const json::value* count = status.if_contains("restore_count");
  if (wait == nullptr || count == nullptr) return;
  const std::string_view word = wait->as_string();
  if (word == "list") {
    out << "restored: the list is being read, could not be read yet, or may not show every record "
           "yet; it goes on by itself\n";
  } else if (word == "previous_key") {
    out << "restored: " << *count
        << " PENDING jobs of the backup may have been sent with another account's key: name it "
           "with "
           "--gmi-previous-api-key-file, or have the jobs cancelled\n";
  } else if (word == "account") {
    out << "restored: the lists of " << *count
        << " accounts that the backup used cannot be read: name the key with "
           "--gmi-previous-api-key-file, or, if no job there can be asked for again: "
           "luma-edit-gateway resume\n";
  } else if (word == "jobs_in_doubt") {
    out << "restored: the list shows records of " << *count
        << " jobs that are PENDING here; it goes on by itself when they are told apart\n";
  } else if (word == "short_list") {
    out << "restored: the upstream's list does not go back to the backup, and " << *count
        << " jobs that are PENDING here may have been sent since; have those cancelled that may "
           "not be paid for twice, then: luma-edit-gateway resume\n";
  } else if (word == "person") {
    out << "restored: " << *count
        << " records since the backup belong to no job here, and whoever repeats those jobs pays "
           "twice; when that is settled: luma-edit-gateway resume\n";
  }
}

void PrintStatus(const json::object& status, std::ostream& out) {
  if (const json::value* job = status.if_contains("job_id")) {
    out << std::string_view(job->as_string()) << " is "
        << std::string_view(status.at("state").as_string()) << " as "
        << std::string_view(status.at("upstream_id").as_string()) << "\n";
  }
  if (const json::value* paused = status.if_contains("paused")) {
    out << "dispatch: " << (paused->as_bool() ? "paused by an operator" : "on") << "\n";
  }
  if (const json::value* restored = status.if_contains("restored");
      restored && restored->as_bool()) {
    out << "restored: nothing is sent until the upstream's list was compared with the store\n";
    PrintRestore(status, out);
  }
  if (const json::value* dispatch = status.if_contains("dispatch")) {
    const std::string_view by = dispatch->at("held_back_by").as_string();
    if (!by.empty()) {
      out << "held back by: " << by << ", for "
          << dispatch->at("held_back_seconds").to_number<double>() << " s more\n";
    }
    out << "POSTs in flight: " << dispatch->at("posts_in_flight") << "\n";
  }
  if (const json::value* lease = status.if_contains("lease")) {
    out << "lease: epoch " << lease->at("epoch") << ", good for "
        << lease->at("good_for_seconds").to_number<double>() << " s\n";
  }
  if (const json::value* jobs = status.if_contains("jobs")) {
    for (const auto& job : jobs->as_object()) out << job.key() << ": " << job.value() << "\n";
  }
  if (const json::value* today = status.if_contains("today")) {
    out << "today (UTC): reserved " << Usd(today->at("reserved_usd_micros")) << " USD, incurred "
        << Usd(today->at("incurred_usd_micros")) << " USD, uncertain "
        << Usd(today->at("uncertain_usd_micros")) << " USD";
    if (const json::value* limit = today->as_object().if_contains("limit_usd_micros")) {
      out << "; the limit of all is " << Usd(*limit) << " USD";
    }
    out << "\n";
  }
  if (const json::value* uncertain = status.if_contains("uncertain_usd_micros")) {
    out << "in doubt: " << Usd(*uncertain)
        << " USD, of it held: " << Usd(status.at("held_usd_micros")) << " USD\n";
  }
  if (const json::value* held = status.if_contains("held")) {
    for (const json::value& job : held->as_array()) {
      out << "held " << std::string_view(job.at("job_id").as_string()) << " of "
          << std::string_view(job.at("caller").as_string()) << " since "
          << std::string_view(job.at("since").as_string()) << ", up to "
          << Usd(job.at("max_usd_micros")) << " USD, candidates "
          << job.at("candidate_upstream_ids") << "\n";
    }
  }
  if (const json::value* error = status.if_contains("store_error")) {
    out << "store: " << std::string_view(error->as_string()) << "\n";
  }
}

int Call(const Command& command, const Address& address, const json::object& fields, bool raw,
         std::ostream& out, std::ostream& err) {
  const std::string sent = fields.empty() ? "" : json::serialize(fields);
  const auto answer = CallAdmin(address, {command.method, command.path, sent});
  if (!answer.ok()) {
    err << "luma-edit-gateway: " << answer.status().message() << "\n";
    return EXIT_FAILURE;
  }
  boost::system::error_code error;
  const json::value body = json::parse(answer->body, error);
  if (error || !body.is_object()) {
    err << "luma-edit-gateway: " << address.ToString() << " is no gateway's admin port\n";
    return EXIT_FAILURE;
  }
  if (raw) {
    out << answer->body;
  } else if (const json::value* what = body.as_object().if_contains("error")) {
    err << "luma-edit-gateway: " << std::string_view(what->as_string()) << "\n";
  } else {
    PrintStatus(body.as_object(), out);
  }
  return answer->status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

std::optional<int> RunAdminCommand(const std::vector<std::string>& arguments, std::ostream& out,
                                   std::ostream& err) {
  if (arguments.empty()) return std::nullopt;
  const auto command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                    [&](const Command& c) { return arguments[0] == c.name; });
  if (command == std::end(kCommands)) return std::nullopt;

  CLI::App app(command->meaning, std::string("luma-edit-gateway ") + command->name);
  std::string listen = Config().listening.admin_address.ToString();
  bool raw = false;
  std::vector<std::string> values(command->words.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    app.add_option(command->words[i], values[i])->required();
  }
  app.add_option("--admin-listen", listen, "Where the gateway's admin port is")
      ->envname("LUMAEDIT_ADMIN_LISTEN")
      ->capture_default_str();
  app.add_flag("--json", raw, "Print what the gateway answers");
  std::vector<std::string> rest(arguments.rbegin(), arguments.rend() - 1);
  try {
    app.parse(rest);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return EXIT_SUCCESS;
  } catch (const CLI::ParseError& error) {
    err << "luma-edit-gateway: " << error.what() << "\n";
    return kExitConfig;
  }
  Address address;
  if (const std::string wrong = ReadAddress(listen, &address); !wrong.empty() || address.empty()) {
    err << "luma-edit-gateway: --admin-listen: " << (wrong.empty() ? "must not be empty" : wrong)
        << "\n";
    return kExitConfig;
  }
  json::object fields;
  for (std::size_t i = 0; i < values.size(); ++i) fields[command->words[i]] = values[i];
  return Call(*command, address, fields, raw, out, err);
}

}  // namespace lumaedit

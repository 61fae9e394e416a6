#include "server/app/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace lumaedit {
namespace {

constexpr int kMostPort = 65535;

std::string WhyNotReadable(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::StrCat("cannot read '", path, "': ", std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return absl::StrCat("'", path, "' is not a regular file");
  if (access(path.c_str(), R_OK) != 0) {
    return absl::StrCat("cannot read '", path, "': ", std::strerror(errno));
  }
  return "";
}

}  // namespace

std::string Setting::EnvironmentName() const {
  return absl::StrCat("LUMAEDIT_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

bool Address::IsLoopback() const {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  return !error && ip.is_loopback();
}

std::string Address::ToString() const {
  if (empty()) return "";
  if (absl::StrContains(host, ':')) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

std::string ReadAddress(const std::string& text, Address* address) {
  if (text.empty()) {
    *address = {};
    return "";
  }
  const auto colon = text.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
      port > kMostPort) {
    return absl::StrCat("'", text, "' is not host:port with a port of 0 to ", kMostPort);
  }
  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  const bool is_ip = !error && ip.is_v6() == bracketed;
  if (!is_ip && host != "localhost") {
    return absl::StrCat("'", text,
                        "' needs an IP address (IPv6 in brackets) or localhost before its port");
  }
  *address = {std::move(host), port};
  return "";
}

std::optional<std::int64_t> ReadUsdMicros(std::string_view text) {
  constexpr std::int64_t kMostUsd = 1'000'000'000;
  constexpr std::size_t kDecimals = 6;
  const std::size_t point = text.find('.');
  const bool has_point = point != std::string_view::npos;
  const std::string_view whole = text.substr(0, point);
  std::string_view part = has_point ? text.substr(point + 1) : std::string_view();
  const auto digits = [](std::string_view digits_or_not) {
    return !digits_or_not.empty() &&
           std::all_of(digits_or_not.begin(), digits_or_not.end(), absl::ascii_isdigit);
  };
  if (!digits(whole) || (has_point && !digits(part)) || part.size() > kDecimals) {
    return std::nullopt;
  }
  std::int64_t usd = 0;
  if (!absl::SimpleAtoi(std::string(whole), &usd) || usd > kMostUsd) {
    return std::nullopt;
  }
  std::int64_t micros = 0;
  for (std::size_t at = 0; at < kDecimals; ++at) {
    micros = micros * 10 + (at < part.size() ? part[at] - '0' : 0);
  }
  return usd * 1'000'000 + micros;
}

std::string PrintUsd(std::int64_t micros) {
  std::string text = absl::StrFormat("%d.%06d", micros / 1'000'000, micros % 1'000'000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

void SettingList::Add(std::string_view name, std::string range, std::string_view meaning,
                      std::function<std::string(const std::string&)> read,
                      std::function<std::string()> print) {
  Setting setting;
  setting.name = name;
  setting.group = group_;
  setting.default_text = print();
  setting.range = std::move(range);
  setting.meaning = meaning;
  setting.read = std::move(read);
  setting.print = std::move(print);
  settings_.push_back(std::move(setting));
}

void SettingList::Text(std::string_view name, std::string* target, std::string_view range,
                       std::string_view meaning) {
  Add(
      name, std::string(range), meaning,
      [target](const std::string& text) {
        *target = text;
        return std::string();
      },
      [target] { return *target; });
}

void SettingList::Listen(std::string_view name, Address* target, std::string_view meaning) {
  Add(
      name, "IP:port; port 0 = any free one", meaning,
      [target](const std::string& text) { return ReadAddress(text, target); },
      [target] { return target->ToString(); });
}

void SettingList::File(std::string_view name, std::string* target, std::string_view meaning) {
  Add(
      name, "readable file", meaning,
      [target](const std::string& text) {
        *target = text;
        return text.empty() ? std::string() : WhyNotReadable(text);
      },
      [target] { return *target; });
}

void SettingList::Duration(std::string_view name, absl::Duration* target, absl::Duration least,
                           absl::Duration most, std::string_view meaning) {
  Add(
      name, absl::StrCat(absl::FormatDuration(least), " to ", absl::FormatDuration(most)), meaning,
      [target, least, most](const std::string& text) -> std::string {
        absl::Duration value;
        if (!absl::ParseDuration(text, &value)) {
          return absl::StrCat("'", text, "' is no duration with a unit, such as 90s, 10m or 4h");
        }
        if (value < least || value > most) {
          return absl::StrCat("'", text, "' is not within ", absl::FormatDuration(least), " to ",
                              absl::FormatDuration(most));
        }
        *target = value;
        return "";
      },
      [target] { return absl::FormatDuration(*target); });
}

void SettingList::Integer(std::string_view name, int* target, int least, int most,
                          std::string_view meaning) {
  Add(
      name, absl::StrCat(least, " to ", most), meaning,
      [target, least, most](const std::string& text) -> std::string {
        int value = 0;
        if (!absl::SimpleAtoi(text, &value) || value < least || value > most) {
          return absl::StrCat("'", text, "' is not a whole number within ", least, " to ", most);
        }
        *target = value;
        return "";
      },
      [target] { return absl::StrCat(*target); });
}

void SettingList::Number(std::string_view name, double* target, double least, double most,
                         std::string_view meaning) {
  Add(
      name, absl::StrCat(least, " to ", most), meaning,
      [target, least, most](const std::string& text) -> std::string {
        double value = 0;
        if (!absl::SimpleAtod(text, &value) || !std::isfinite(value) || value < least ||
            value > most) {
          return absl::StrCat("'", text, "' is not a number within ", least, " to ", most);
        }
        *target = value;
        return "";
      },
      [target] { return absl::StrCat(*target); });
}

void SettingList::Usd(std::string_view name, std::optional<std::int64_t>* target,
                      std::string_view meaning) {
  Add(
      name, "US dollars, at most six decimals", meaning,
      [target](const std::string& text) -> std::string {
        const std::optional<std::int64_t> value = ReadUsdMicros(text);
        if (!text.empty() && !value) {
          return absl::StrCat("'", text, "' is no amount of US dollars, such as 50 or 7.56");
        }
        *target = value;
        return "";
      },
      [target] { return *target ? PrintUsd(**target) : std::string(); });
}

void SettingList::Choice(std::string_view name, std::string* target,
                         std::vector<std::string> choices, std::string_view meaning) {
  const std::string range = absl::StrJoin(choices, ", ");
  Add(
      name, range, meaning,
      [target, choices = std::move(choices), range](const std::string& text) -> std::string {
        if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
          return absl::StrCat("'", text, "' is none of ", range);
        }
        *target = text;
        return "";
      },
      [target] { return *target; });
}

}  // namespace lumaedit

// The catalogue of faults (upstream.md section 9.2), the rules that a test has set, the prompt
// markers, and the seeded random mode. It decides which faults strike an exchange; what a fault
// does is written where the exchange is handled. Single-threaded.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "random_source.h"

namespace lumaedit::simulator {

enum Point : unsigned {
  kPost = 1,
  kGet = 2,
  kList = 4,
  kOutput = 8,
  kModels = 16,
  kUpload = 32,
};

// When a fault does its work. A refusing one ends the search for further faults of the exchange.
enum class FaultKind { kHead, kRefuse, kSoft };

struct CatalogueEntry {
  int number;
  const char* name;
  unsigned points;
  FaultKind kind;
  // Argument that a prompt marker's value sets.
  const char* main_argument;
  // Argument objects that together cover the fault, as a JSON array.
  const char* variants;
};

const std::vector<CatalogueEntry>& Catalogue();
const CatalogueEntry* FindFault(std::string_view name);
// 0 for an unknown word.
unsigned PointOf(std::string_view word);

// A fault that strikes.
struct Fault {
  std::string name;
  boost::json::object args;
  // Limits a fault on a list page to records whose prompt contains it.
  std::string match_prompt;
};

struct Situation {
  Point point = kPost;
  // Prompts concerned: of the submission, of the record, or of every record of a page.
  std::vector<std::string_view> prompts;
  std::string key;
  std::string request_id;
  double now = 0.0;
};

class FaultBook {
 public:
  explicit FaultBook(uint64_t seed) : random_(seed) {}

  // Adds a rule as POST /control/faults describes it. Returns an error text, empty if it was taken.
  std::string Add(const boost::json::object& rule, double now);
  void Clear();
  boost::json::array Describe() const;
  // {"seed":n,"rate":r,"faults":[name or {"fault","on","args"}]}; rate 0 ends it.
  std::string SetRandom(const boost::json::object& settings);

  // The faults that strike now; counts them off. Head faults only with `head`, all others without.
  std::vector<Fault> Take(const Situation& situation, bool head = false);

 private:
  struct Rule {
    const CatalogueEntry* entry = nullptr;
    unsigned points = 0;
    boost::json::object args;
    std::optional<int64_t> left;
    int64_t skip = 0;
    double probability = 1.0;
    std::optional<double> ends;
    std::string match_prompt;
    std::string match_key;
    std::string match_request_id;
    uint64_t struck = 0;
  };
  struct RandomFault {
    const CatalogueEntry* entry = nullptr;
    unsigned points = 0;
    std::optional<boost::json::object> args;
  };

  bool Matches(const Rule& rule, const Situation& situation) const;
  bool Strikes(Rule& rule, const Situation& situation);
  void TakeMarkers(const Situation& situation, bool head, std::vector<Fault>& out);
  void TakeRandom(const Situation& situation, bool head, std::vector<Fault>& out);

  RandomSource random_;
  std::vector<Rule> rules_;
  std::optional<RandomSource> storm_;
  double storm_rate_ = 0.0;
  std::vector<RandomFault> storm_faults_;
  // Uses of markers with a count, by prompt and marker.
  std::map<std::string, int64_t> marker_uses_;
};

// One [sim:name=value*times] in a prompt.
struct Marker {
  std::string name;
  std::string value;
  std::optional<int64_t> times;
};
std::vector<Marker> MarkersOf(std::string_view prompt);

}  // namespace lumaedit::simulator

#include "world.h"

#include <utility>

namespace lumaedit::simulator {

World::World(const Options& settings)
    : initial_options(settings),
      options(settings),
      clock(settings.time_factor, settings.clock_offset_seconds, settings.timestamps == "virtual"),
      random(settings.seed),
      faults(settings.seed ^ 0x9e3779b97f4a7c15ull),
      records(settings.echo_cap_bytes),
      public_url(settings.public_url) {
  for (const std::string& text : settings.api_keys) {
    const size_t equals = text.find('=');
    AddKey(text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1));
  }
}

ApiKey& World::AddKey(const std::string& secret, const std::string& org) {
  ApiKey* key = FindKey(secret);
  if (key == nullptr) {
    keys.push_back(std::make_unique<ApiKey>());
    key = keys.back().get();
    key->secret = secret;
    key->user = random.Uuid();
  }
  if (!org.empty()) key->org = org;
  if (key->org.empty()) key->org = random.Uuid();
  key->refused_with = 0;
  return *key;
}

ApiKey* World::FindKey(const std::string& secret) {
  for (const auto& key : keys) {
    if (key->secret == secret) return key.get();
  }
  return nullptr;
}

void World::Settle() {
  const double now = clock.Now();
  for (const auto& record : records.all()) {
    if (!record->accepted || record->refunded || record->StatusAt(now) != "failed") continue;
    record->refunded = true;
    if (ApiKey* key = FindKey(record->key)) key->refunded_usd_micros += record->charged_usd_micros;
  }
}

}  // namespace lumaedit::simulator

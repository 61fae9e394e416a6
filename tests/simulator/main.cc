// gmi-simulator: imitates GMI Cloud's request queue. See README.md.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "certificate.h"
#include "control_api.h"
#include "options.h"
#include "queue_api.h"
#include "server.h"
#include "world.h"

namespace lumaedit::simulator {
namespace {

void AddOptions(CLI::App& app, Options& o) {
  const char* net = "Network";
  app.add_option("--listen", o.listen, "Address of the HTTPS queue, port 0 = any free one")
      ->capture_default_str()
      ->group(net);
  app.add_option("--control-listen", o.control_listen,
                 "Address of the plain HTTP control interface; keep it on loopback")
      ->capture_default_str()
      ->group(net);
  app.add_option("--public-url", o.public_url,
                 "Prefix of output and upload URLs (default: https:// and the listen address)")
      ->group(net);
  app.add_option("--base-path", o.base_path, "Path prefix of the queue")
      ->capture_default_str()
      ->group(net);
  app.add_option("--keep-alive-seconds", o.keep_alive_seconds, "Idle time of a connection")
      ->capture_default_str()
      ->group(net);
  app.add_option(
         "--line-bytes-per-second", o.line_bytes_per_second,
         "Send no faster on each connection, in segments of a network's size; 0 = as fast as "
         "loopback goes")
      ->capture_default_str()
      ->group(net);
  app.add_option("--ready-file", o.ready_file,
                 "JSON with base_url, control_url, ca_file, port; written when listening")
      ->group(net);
  const char* tls = "TLS";
  app.add_option("--ca-out", o.ca_out, "Write the throw-away CA certificate (PEM) here")
      ->group(tls);
  auto* cert = app.add_option("--tls-cert-file", o.tls_cert_file,
                              "Use this certificate chain (PEM) instead of a throw-away one");
  auto* key = app.add_option("--tls-key-file", o.tls_key_file, "Private key (PEM) of it");
  cert->group(tls)->needs(key)->check(CLI::ExistingFile);
  key->group(tls)->needs(cert)->check(CLI::ExistingFile);
  app.add_option("--san", o.extra_sans,
                 "Further name or IP address of the throw-away certificate; repeatable")
      ->group(tls);

  const char* behaviour = "Behaviour";
  app.add_option("--api-key", o.api_keys,
                 "KEY or KEY=ORG; repeatable. Keys of one ORG see each other's records")
      ->required()
      ->group(behaviour);
  app.add_option("--seed", o.seed, "Seed of ids, durations and chances")
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--time-factor", o.time_factor, "Virtual seconds in a real one")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--timestamps", o.timestamps,
                 "wall: record times are real time; virtual: they run with virtual time")
      ->check(CLI::IsMember({"wall", "virtual"}))
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--clock-offset-seconds", o.clock_offset_seconds,
                 "How far the simulator's clock (Date and record times) is off")
      ->capture_default_str()
      ->group(behaviour);
  app.add_flag("--freeze-updated-at", o.freeze_updated_at, "updated_at stays at created_at")
      ->group(behaviour);
  app.add_option("--first-status", o.first_status, "Status on the POST answer")
      ->check(CLI::IsMember({"processing", "dispatched", "queued", "created", "mixed"}))
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--validation", o.validation,
                 "strict: 400 with the reason; vendor: 500 'Backend error (400)'")
      ->check(CLI::IsMember({"strict", "vendor"}))
      ->capture_default_str()
      ->group(behaviour);
  app.add_flag("--backend-error-leaves-record", o.backend_error_leaves_record,
               "A submission refused with 'Backend error' shows as failed in the list")
      ->group(behaviour);
  app.add_option("--post-status", o.post_status, "HTTP status of an accepted POST")
      ->check(CLI::IsMember({200, 201}))
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--outcome-shape", o.outcome_shape, "seed: video_url; media_urls: newer envelope")
      ->check(CLI::IsMember({"seed", "media_urls"}))
      ->capture_default_str()
      ->group(behaviour);
  app.add_option("--output-expiry-seconds", o.output_expiry_seconds,
                 "Virtual seconds until output URLs answer 403; 0 = never")
      ->capture_default_str()
      ->group(behaviour);

  const char* time = "Durations (virtual seconds)";
  app.add_option("--source-seconds", o.source_seconds,
                 "Length of a source when the prompt has no [seconds=N]")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(time);
  app.add_option("--queue-seconds", o.fixed_queue_seconds, "Fixed wait in the queue")->group(time);
  app.add_option("--run-seconds", o.fixed_run_seconds, "Fixed processing time")->group(time);
  app.add_option("--max-queue-seconds", o.max_queue_seconds, "Longest drawn wait in the queue")
      ->capture_default_str()
      ->group(time);
  app.add_option("--median-run-seconds", o.median_run_seconds,
                 "Median of the drawn processing time for 5 s at 720p")
      ->capture_default_str()
      ->group(time);

  const char* limits = "Limits";
  app.add_option("--echo-cap-bytes", o.echo_cap_bytes,
                 "Bytes of payloads kept for echo; later ones are hashed and echoed as {}")
      ->capture_default_str()
      ->group(limits);
  app.add_option("--max-body-bytes", o.max_body_bytes, "413 above this")
      ->capture_default_str()
      ->group(limits);
  app.add_option("--list-limit-default", o.list_limit_default, "Page size of a list without limit")
      ->capture_default_str()
      ->group(limits);
  app.add_option("--list-limit-max", o.list_limit_max, "Largest page of a list")
      ->capture_default_str()
      ->group(limits);
  app.add_flag("--verbose", o.verbose, "Method, path and status of every request on stderr");
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Readers see the whole file or none.
void WriteFile(const std::string& path, const std::string& text) {
  const std::string part = path + ".part";
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out) throw std::runtime_error("cannot write " + part);
  }
  if (std::rename(part.c_str(), path.c_str()) != 0)
    throw std::runtime_error("cannot write " + path);
}

// The wildcard address cannot be called; localhost is in the certificate.
std::string CallableHost(const std::string& listen) {
  const std::string host = listen.substr(0, listen.rfind(':'));
  return host == "0.0.0.0" ? "127.0.0.1" : host;
}

int Run(const Options& options) {
  Identity identity;
  if (options.tls_cert_file.empty()) {
    identity = MakeIdentity(options.extra_sans);
  } else {
    identity.certificate = ReadFile(options.tls_cert_file);
    identity.key = ReadFile(options.tls_key_file);
  }
  if (!options.ca_out.empty()) {
    WriteFile(options.ca_out, identity.ca.empty() ? identity.certificate : identity.ca);
  }
  World world(options);
  QueueApi queue(world);
  ControlApi control(world);
  Server server({options.listen, options.control_listen, identity.certificate, identity.key,
                 options.keep_alive_seconds, options.line_bytes_per_second, options.verbose},
                queue, control);
  world.release_held = [&server] { server.ReleaseHeld(); };
  const std::string origin =
      "https://" + CallableHost(options.listen) + ":" + std::to_string(server.port());
  if (world.public_url.empty()) world.public_url = origin;
  const std::string base_url = origin + options.base_path;
  const std::string control_url = "http://" + CallableHost(options.control_listen) + ":" +
                                  std::to_string(server.control_port());
  if (!options.ready_file.empty()) {
    WriteFile(options.ready_file,
              boost::json::serialize(boost::json::object{{"base_url", base_url},
                                                         {"control_url", control_url},
                                                         {"ca_file", options.ca_out},
                                                         {"port", server.port()},
                                                         {"pid", getpid()}}));
  }
  std::cout << "queue    " << base_url << "\ncontrol  " << control_url << "/control/" << std::endl;
  server.Run();
  return 0;
}

}  // namespace
}  // namespace lumaedit::simulator

int main(int argc, char** argv) {
  CLI::App app(
      "Imitates GMI Cloud's request queue over HTTPS, for tests and for development "
      "without spending.",
      "gmi-simulator");
  lumaedit::simulator::Options options;
  lumaedit::simulator::AddOptions(app, options);
  app.footer(
      "Example:\n  gmi-simulator --listen 127.0.0.1:9443 --control-listen 127.0.0.1:9444 "
      "--api-key test-key \\\n      --ca-out ca.pem --time-factor 30\n"
      "Prompt markers and the control interface are described in tests/simulator/README.md.");
  CLI11_PARSE(app, argc, argv);
  try {
    return lumaedit::simulator::Run(options);
  } catch (const std::exception& error) {
    std::cerr << "gmi-simulator: " << error.what() << "\n";
    return 1;
  }
}

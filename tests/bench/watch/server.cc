// bench-watch-server product|bare: does what its standard input says, a command a line, and answers
// each with a line. `run.py` drives it.
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/watch/own_bytes.h"
#include "tests/bench/watch/side.h"

int main(int argc, char** argv) {
  using namespace lumaedit::bench;
  if (argc != 2) return 2;
  const std::unique_ptr<Side> side =
      std::string_view(argv[1]) == "bare" ? MakeBare() : MakeProduct();
  std::cout << "address " << side->address() << std::endl;
  std::vector<std::string> jobs;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "job") {
      jobs.push_back(side->NewJob());
      std::cout << "job " << jobs.back() << std::endl;
    } else if (command == "move") {
      const Side::Moved moved = side->Move(jobs.back());
      std::cout << "moved " << moved.sequence << " " << moved.time << std::endl;
    } else if (command == "beat") {
      side->Beat();
      std::cout << "beat" << std::endl;
    } else if (command == "own") {
      std::cout << "own " << OwnLiveBytes() << std::endl;
    } else if (command == "drive") {  // every job so many times, and to its end
      int rounds = 0;
      words >> rounds;
      for (int n = 0; n < rounds; ++n) {
        for (const std::string& job : jobs) side->Move(job);
      }
      for (const std::string& job : jobs) side->End(job);
      std::cout << "driven" << std::endl;
    }
  }
  // The watchers are gone, or their client is: nothing is worth an orderly end.
  std::cout.flush();
  std::_Exit(0);
}

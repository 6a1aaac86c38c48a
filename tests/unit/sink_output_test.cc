#include "sink/output.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

using namespace plumb;

namespace {

struct TemporaryFile {
  TemporaryFile() { ::close(::mkstemp(path)); }
  ~TemporaryFile() { ::unlink(path); }
  std::string content() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  char path[32] = "/tmp/plumb-output-XXXXXX";
};

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(writer.get()); }
  UniqueFd reader, writer;
};

Output open(const std::string& path) {
  auto output = Output::file(path);
  REQUIRE_MESSAGE(output.ok(), path);
  return *std::move(output);
}

}  // namespace

TEST_CASE("a file gets what was buffered, in order, and is truncated first") {
  TemporaryFile file;
  std::ofstream(file.path) << "older and longer than what comes";
  Output output = open(file.path);
  CHECK_FALSE(output.is_terminal());
  output.buffer() = "one\n";
  CHECK(output.write_out().ok());
  CHECK(output.buffer().empty());
  output.buffer() = "two\n";
  CHECK(output.maybe_write().ok());
  CHECK(file.content() == "one\n");  // little waits until it is worth a write
  CHECK(output.write_out().ok());
  CHECK(file.content() == "one\ntwo\n");
}

TEST_CASE("a full chunk is written without being asked") {
  TemporaryFile file;
  Output output = open(file.path);
  output.buffer().assign(Output::kChunk, 'x');
  CHECK(output.maybe_write().ok());
  CHECK(file.content().size() == Output::kChunk);
}

TEST_CASE("a file that cannot be opened is an error that names it") {
  const auto output = Output::file("/nonexistent/x.json");
  REQUIRE_FALSE(output.ok());
  CHECK(output.error().what == "cannot write /nonexistent/x.json");
  CHECK(output.error().why == "ENOENT: No such file or directory");
}

TEST_CASE("a full disk is an error that says what to do, and drops what waited") {
  Output output = open("/dev/full");
  output.buffer() = "line\n";
  const auto r = output.write_out();
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().what == "cannot write to /dev/full");
  CHECK(r.error().why == "ENOSPC: No space left on device");
  CHECK(r.error().hint == "free some space, or choose another place with --output");
  CHECK(output.buffer().empty());
  CHECK_FALSE(output.closed());
}

TEST_CASE("a reader that went away is an end, not an error") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as the run loop does
  Pipe pipe;
  Output output = open(pipe.path());
  pipe.reader.reset();
  output.buffer() = "line\n";
  CHECK(output.write_out().ok());
  CHECK(output.closed());
  CHECK(output.buffer().empty());
  output.buffer() = "more\n";
  CHECK(output.write_out().ok());
  CHECK(output.buffer().empty());
  std::signal(SIGPIPE, before);
}

TEST_CASE("at the end a full pipe is waited for, without burning CPU") {
  Pipe pipe;
  Output output = open(pipe.path());
  output.finish();
  const std::string sent(1 << 20, 'y');  // 16 times what a pipe holds
  output.buffer() = sent;

  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  std::size_t received = 0;
  std::thread reader([&] {
    char chunk[65536];
    for (ssize_t n; received < sent.size() && (n = ::read(pipe.reader.get(), chunk, sizeof chunk)) > 0;) {
      received += static_cast<std::size_t>(n);
    }
  });
  const auto r = output.write_out();
  reader.join();
  CHECK(r.ok());
  CHECK(received == sent.size());
  CHECK(output.dropped_lines() == 0);
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  CHECK(after.ru_nvcsw > before.ru_nvcsw);  // it slept
}

TEST_CASE("a stalled reader holds up neither the trace nor its end") {
  Pipe pipe;
  Output output = open(pipe.path());
  std::uint64_t lines = 0;
  for (int i = 0; i < 200; ++i) {  // 20 MB
    for (int k = 0; k < 1000; ++k, ++lines) output.buffer().append(99, 'z').push_back('\n');
    CHECK(output.maybe_write().ok());
    CHECK(output.buffer().size() <= Output::kMostWaiting + 200'000);
  }
  CHECK_FALSE(output.closed());
  CHECK_FALSE(output.caught_up());
  CHECK(output.dropped_lines() > 100'000);
  CHECK(output.dropped_lines() < lines);

  output.finish();
  CHECK(output.write_out().ok());
  CHECK(output.closed());  // nobody reads: the rest is given up
  CHECK(output.buffer().empty());
  std::string taken(1 << 20, '\0');
  const ssize_t n = ::read(pipe.reader.get(), taken.data(), taken.size());
  REQUIRE(n > 0);
  const auto whole = static_cast<std::uint64_t>(std::count(taken.begin(), taken.begin() + n, '\n'));
  CHECK(output.dropped_lines() + whole == lines);  // every line is one or the other
}

TEST_CASE("a reader that comes back gets whole lines, and what waited") {
  Pipe pipe;
  Output output = open(pipe.path());
  for (int i = 0; i < 100'000; ++i) output.buffer().append(std::to_string(i)).append(93, ' ').push_back('\n');
  CHECK(output.write_out().ok());
  const std::uint64_t dropped = output.dropped_lines();
  CHECK(dropped != 0);
  std::string received;
  std::thread reader([&] {
    char chunk[65536];
    for (ssize_t n; (n = ::read(pipe.reader.get(), chunk, sizeof chunk)) > 0 &&
                    received.find("last") == std::string::npos;)
      received.append(chunk, static_cast<std::size_t>(n));
  });
  output.finish();
  output.buffer() += "the last\n";
  CHECK(output.write_out().ok());
  CHECK(output.caught_up());
  pipe.writer.reset();
  output = Output::memory();
  reader.join();
  CHECK(static_cast<std::uint64_t>(std::count(received.begin(), received.end(), '\n')) + dropped == 100'001);
  CHECK(received.ends_with(" \nthe last\n"));
}

TEST_CASE("another user's symbolic link is not followed where everybody may write") {
  char directory[] = "/tmp/plumb-sticky-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  REQUIRE(::chmod(directory, 01777) == 0);
  const std::string link = std::string(directory) + "/link";
  const std::string target = std::string(directory) + "/target";
  REQUIRE(::symlink(target.c_str(), link.c_str()) == 0);
  CHECK(Output::file(link).ok());  // our own
  if (::geteuid() == 0) {
    ::unlink(target.c_str());
    REQUIRE(::lchown(link.c_str(), 12345, 12345) == 0);
    const auto refused = Output::file(link);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().why.find("another user's symbolic link") != std::string::npos);
    CHECK(::access(target.c_str(), F_OK) != 0);
  }
  ::unlink(link.c_str());
  ::unlink(target.c_str());
  ::rmdir(directory);
}

TEST_CASE("a pipe that nobody reads is waited for until the stop") {
  char directory[] = "/tmp/plumb-fifo-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string path = std::string(directory) + "/fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Pipe stop;
  REQUIRE(::write(stop.writer.get(), "x", 1) == 1);
  const auto refused = Output::file(path, stop.reader.get());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().why == "nobody reads it");
  ::unlink(path.c_str());
  ::rmdir(directory);
}

TEST_CASE("a non-blocking descriptor that another program shares keeps its mode") {
  Pipe pipe;
  const int before = ::fcntl(pipe.writer.get(), F_GETFL);
  Output output = open(pipe.path());
  output.buffer() += 'x';
  CHECK(output.write_out().ok());
  CHECK(::fcntl(pipe.writer.get(), F_GETFL) == before);
}

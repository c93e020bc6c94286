// The N-th system call of a run goes wrong, for every N: would-block, short, reset, closed, no descriptor.
// The program's own calls of libc are replaced here, below everything of ours and of OpenSSL.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>

#include "absl/strings/str_cat.h"
#include "tests/e2e/programs.h"
#include "tests/support/session_run.h"

namespace {

enum class Call { kNone, kSocket, kConnect, kAdd, kSend, kReceive };
// What the chosen call does instead: an errno value, or one of these.
constexpr int kShort = -1;           // it does one byte of its work
constexpr int kClosed = -2;          // it reads an orderly end
constexpr int kShortThenReset = -3;  // it does one byte, and the next such call is a reset

std::atomic<Call> chosen_call{Call::kNone};
std::atomic<int> chosen_fault{0};
std::atomic<int> calls_left{0};  // until the chosen one

// True if this very call is to go wrong.
bool IsChosen(Call call) {
  if (chosen_call.load() != call) return false;
  return --calls_left == 0;
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool IsSocket(int fd) {
  struct stat about {};
  return fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

// Runs `real(bytes)` or the fault in its place.
template <typename Operation>
ssize_t Transfer(Call call, std::size_t size, Operation real) {
  if (!IsChosen(call)) return real(size);
  int fault = chosen_fault.load();
  if (fault == kShortThenReset) {
    chosen_fault = ECONNRESET;
    calls_left = 1;
    fault = kShort;
  }
  if (fault == kShort) return real(std::min<std::size_t>(size, 1));
  if (fault == kClosed) return 0;
  errno = fault;
  return -1;
}

int Refuse() {
  errno = chosen_fault.load();
  return -1;
}

}  // namespace

extern "C" {
int socket(int domain, int type, int protocol) {
  static const auto real = Real<decltype(socket)>("socket");
  return IsChosen(Call::kSocket) ? Refuse() : real(domain, type, protocol);
}
int connect(int fd, const sockaddr* address, socklen_t length) {
  static const auto real = Real<decltype(connect)>("connect");
  return IsChosen(Call::kConnect) ? Refuse() : real(fd, address, length);
}
int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) noexcept {
  static const auto real = Real<decltype(epoll_ctl)>("epoll_ctl");
  const bool is_add = operation == EPOLL_CTL_ADD && IsSocket(fd);
  return is_add && IsChosen(Call::kAdd) ? Refuse() : real(epoll_fd, operation, fd, event);
}
long syscall(long number, ...) noexcept {  // what is not stamped is sent and received with it
  static const auto real = Real<decltype(syscall)>("syscall");
  va_list arguments;
  va_start(arguments, number);
  std::array<long, 6> a;
  for (long& argument : a) argument = va_arg(arguments, long);
  va_end(arguments);
  const auto run = [&](std::size_t size) {
    return real(number, a[0], a[1], static_cast<long>(size), a[3], a[4], a[5]);
  };
  const auto size = static_cast<std::size_t>(a[2]);
  if (number == SYS_sendto) return Transfer(Call::kSend, size, run);
  return number == SYS_recvfrom ? Transfer(Call::kReceive, size, run) : run(size);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {  // what is stamped goes and comes with messages
  static const auto real = Real<decltype(sendmsg)>("sendmsg");
  if (!IsSocket(fd)) return real(fd, message, flags);
  return Transfer(Call::kSend, message->msg_iov->iov_len, [&](std::size_t n) {
    iovec piece{.iov_base = message->msg_iov->iov_base, .iov_len = n};
    msghdr part = *message;
    part.msg_iov = &piece;
    return real(fd, &part, flags);
  });
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto real = Real<decltype(recvmsg)>("recvmsg");
  if (!IsSocket(fd) || (flags & MSG_ERRQUEUE) != 0) return real(fd, message, flags);
  return Transfer(Call::kReceive, message->msg_iov->iov_len, [&](std::size_t n) {
    iovec piece{.iov_base = message->msg_iov->iov_base, .iov_len = n};
    msghdr part = *message;
    part.msg_iov = &piece;
    const ssize_t received = real(fd, &part, flags);
    message->msg_controllen = part.msg_controllen;
    return received;
  });
}
}

namespace tidemark {
namespace {

constexpr std::uint64_t kRequests = 10;

// Runs `plan` while the first `call` goes wrong, then the second, and so on until there is no Nth any more, and hands
// each run's counters to `check`.
template <typename Check>
void ForEveryCall(const proto::Plan& plan, Call call, int fault, Check check) {
  for (int n = 1; n < 200; ++n) {
    calls_left = n;
    chosen_fault = fault;
    chosen_call = call;
    const PointRun run = RunOnePoint(plan, OwnGuard());
    chosen_call = Call::kNone;
    SCOPED_TRACE(absl::StrCat("call ", static_cast<int>(call), ", number ", n, ", fault ", fault));
    EXPECT_EQ(run.counters.planned, kRequests);
    EXPECT_EQ(run.counters.NeverSentTotal(), 0u);
    check(run.counters);
    if (calls_left > 0) {
      EXPECT_GT(n, 2) << "the fault never happened";
      return;
    }
  }
  FAIL() << "far more calls than requests";
}

class FaultTest : public testing::TestWithParam<bool> {
 protected:
  FaultTest() : certificate_(dir_, "localhost", "IP:127.0.0.1") {
    const bool is_tls = GetParam();
    nginx_ = std::make_unique<Nginx>(
        (is_tls ? "ssl_certificate " + certificate_.cert + "; ssl_certificate_key " + certificate_.key + ";"
                : std::string()) +
            "location / { return 200 hello; }",
        is_tls ? " ssl" : "");
    plan_ = PlanFor((is_tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(nginx_->port()) + "/", 2, 5);
    if (is_tls) plan_.mutable_tls()->set_ca_file(certificate_.cert);
    plan_.set_threads(1);
  }

  TempDir dir_;
  const Certificate certificate_;
  std::unique_ptr<Nginx> nginx_;
  proto::Plan plan_;
};

TEST_P(FaultTest, WouldBlockAndShortTransfersLoseNothing) {
  for (const Call call : {Call::kSend, Call::kReceive}) {
    for (const int fault : {EAGAIN, EINTR, kShort}) {
      ForEveryCall(plan_, call, fault, [](Counters counters) { EXPECT_EQ(counters[Outcome::kStatus2xx], kRequests); });
    }
  }
}

TEST_P(FaultTest, ARequestOfWhichNothingWentOutIsSentAgain) {
  for (const int fault : {ECONNRESET, EPIPE}) {
    ForEveryCall(plan_, Call::kSend, fault,
                 [](Counters counters) { EXPECT_EQ(counters[Outcome::kStatus2xx], kRequests); });
  }
}

TEST_P(FaultTest, ARequestThatWaitsForItsAnswerIsLostWithItsConnection) {
  for (const auto& [fault, outcome] : {std::pair{ECONNRESET, Outcome::kReset}, {kClosed, Outcome::kClosedEarly}}) {
    std::uint64_t most = 0;
    ForEveryCall(plan_, Call::kReceive, fault, [&, wanted = outcome](Counters counters) {
      EXPECT_EQ(counters[Outcome::kStatus2xx] + counters[wanted], kRequests);
      EXPECT_LE(counters[wanted], 1u);
      most = std::max(most, counters[wanted]);
    });
    EXPECT_EQ(most, 1u);
  }
}

TEST_P(FaultTest, ARequestThatIsPartlyOutIsLostWithItsConnection) {
  // One connection, so that the call after the short one is the one for the rest.
  plan_.mutable_sweep()->set_connections(0, 1);
  plan_.mutable_sweep()->set_requests_per_connection(kRequests);
  std::uint64_t most = 0;
  ForEveryCall(plan_, Call::kSend, kShortThenReset, [&](Counters counters) {
    EXPECT_EQ(counters[Outcome::kStatus2xx] + counters[Outcome::kReset], kRequests);
    most = std::max(most, counters[Outcome::kReset]);
  });
  // Over TLS one byte of a record is nothing that the target could have read: the request goes out again.
  EXPECT_EQ(most, GetParam() ? 0u : 1u);
}

TEST_P(FaultTest, AConnectionThatCannotBeMadeIsTriedAgain) {
  for (const auto& [call, fault] : {std::pair{Call::kSocket, EMFILE},
                                    {Call::kConnect, ECONNREFUSED},
                                    {Call::kConnect, EADDRNOTAVAIL},
                                    {Call::kAdd, ENOSPC}}) {
    ForEveryCall(plan_, call, fault, [](Counters counters) { EXPECT_EQ(counters[Outcome::kStatus2xx], kRequests); });
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FaultTest, testing::Values(false, true),
                         [](const auto& test) { return std::string(test.param ? "Https" : "Http"); });

}  // namespace
}  // namespace tidemark

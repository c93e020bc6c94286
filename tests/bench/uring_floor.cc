// The syscall floor on io_uring: send and recv through one ring, all of a turn's operations in one system call. What
// an io_uring backend could reach at best. Usage: PORT CONNECTIONS SECONDS. Prints "REQUESTS requests".
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

double Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

constexpr std::size_t kBufferBytes = 4096;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 1;
  const sched_param param{};
  sched_setscheduler(0, SCHED_BATCH, &param);  // as tidemark's workers, see agent/engine/core_sharing.h
  const std::string request =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nUser-Agent: tidemark/" TIDEMARK_VERSION "\r\n\r\n";
  const auto connections = static_cast<std::size_t>(std::atoi(argv[2]));
  const double seconds = std::atof(argv[3]);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));

  io_uring ring;
  const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  if (io_uring_queue_init(4096, &ring, flags) != 0) {
    std::fprintf(stderr, "uring_floor: this kernel offers no io_uring with these flags\n");
    return 1;
  }
  std::vector<int> sockets(connections);
  std::vector<char> buffers(connections * kBufferBytes);
  // A request is a send linked to the recv of its answer; user_data is the connection, or ~0 for a send.
  const auto submit = [&](std::size_t i) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_send(sqe, sockets[i], request.data(), request.size(), MSG_NOSIGNAL);
    sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = ~0ULL;
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, sockets[i], &buffers[i * kBufferBytes], kBufferBytes, 0);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;  // the answer cannot be there yet
    sqe->user_data = i;
  };
  for (std::size_t i = 0; i < connections; ++i) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sockets[i], reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    const int one = 1;
    setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    submit(i);
  }
  std::uint64_t requests = 0;
  for (const double end = Now() + seconds; Now() < end;) {
    if (io_uring_submit_and_wait(&ring, 1) < 0) return 1;
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++seen;
      if (cqe->user_data == ~0ULL || cqe->res <= 0) return 1;
      ++requests;
      submit(cqe->user_data);
    }
    io_uring_cq_advance(&ring, seen);
  }
  std::printf("%llu requests\n", static_cast<unsigned long long>(requests));
  return 0;
}

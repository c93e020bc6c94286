// The connections of one load of a worker, whatever they speak: here, and nowhere else, protocols are told apart.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/exchange/http_connection.h"
#include "agent/exchange/listening_connection.h"
#include "agent/exchange/messaging_connection.h"
#include "agent/guard/secrets.h"
#include "agent/pace/budget.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Immutable facts that all workers of a session share.
struct WorkerSettings {
  proto::Plan plan;  // without bodies and subscriptions, which are:
  std::vector<RequestBytes> requests = {};
  std::vector<RequestBytes> last_requests = {};  // the same, as the last on a connection; with reconnect_after
  std::vector<RequestBytes> subscribe = {};
  Target target = {};
  std::vector<SocketAddress> targets = {};
  std::vector<std::uint32_t> target_indices = {};  // of each, as of AddressTally
  std::string tunnel = {};                         // the request for one, where the target is reached so
  std::vector<SocketAddress> sources = {};
  bool is_target_on_this_machine = false;
  Masks masks = {};                         // of the plan's secrets
  std::shared_ptr<Budget> sends = nullptr;  // of the agent, which `workers` share; null: no ceiling
  std::shared_ptr<Budget> connects = nullptr;
  int workers = 1;
  std::uint64_t sample = 0;                          // of requests that are told one by one, one in so many; 0: none
  const std::atomic<Nanos>* target_clock = nullptr;  // outlives the workers; see Load
  const std::atomic<Nanos>* lease = nullptr;         // ... its end, as the coordinator has renewed it; null: none
};

// A worker has one, for the plan's one load. Of several loads, or of the HTTP and the WebSocket connections of one
// user, it has one for each over the same LoopState, and what comes back from epoll or the wheel names its group.
// Threads: one worker.
class Group {
 public:
  // `settings`, `loop` and `tls` outlive it; `worker`: its number.
  Group(const WorkerSettings& settings, std::uint32_t worker, LoopState* loop, SSL_CTX* tls);

  Load& load() { return *load_; }
  const Load& load() const { return *load_; }

  // Calls work(connections, shared), of the class that is there: a deque of connections, and their load.
  template <class Work>
  decltype(auto) Visit(Work work) {
    return std::visit([&work](auto& of) -> decltype(auto) { return work(of.connections, of.shared); }, of_);
  }
  // Calls work(connection) for each.
  template <class Work>
  void ForEach(Work work) {
    Visit([&work](auto& connections, auto&) {
      for (auto& connection : connections) work(connection);
    });
  }
  // The WebSocket's part of the load; null if it is none.
  const WebSocketLoad* web_socket() const;

  std::size_t size() const;
  void Clear();
  void RecordInto(Recorder* recorder);

 private:
  template <class Connection>
  struct Of {
    explicit Of(LoopState* loop) : shared(loop) {}
    typename Connection::Shared shared;
    std::deque<Connection> connections;  // a deque: they stay where they are
  };
  std::variant<Of<HttpConnection>, Of<MessagingConnection>, Of<ListeningConnection>> of_;
  Load* load_;
};

// The connection, of the class that `connections` are of, that epoll or the wheel knows.
template <class Connection>
Connection* AsOneOf(const std::deque<Connection>&, Lifecycle* connection) {
  return static_cast<Connection*>(connection);
}
template <class Connection>
constexpr bool kMakesRequests = !std::is_same_v<Connection, ListeningConnection>;

}  // namespace tidemark

// The agent's own list of what it may be aimed at. The coordinator cannot widen it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host/socket_address.h"
#include "agent/pace/budget.h"
#include "protos/allow_list.pb.h"

namespace tidemark {

// Loopback and private addresses (RFC 1918, RFC 4193) are allowed unless the list says `only_these`; everything else,
// and every Unix socket, only if named. Checked after resolution, for each address.
// Threads: any, after construction.
class TargetGuard {
 public:
  // What an allowed target may be given; 0: no ceiling.
  struct Ceiling {
    double max_rate = 0;               // requests per second of this agent
    std::int64_t max_connections = 0;  // of this agent
    double max_connect_rate = 0;       // new connections per second of this agent
    std::string permission = {};       // as the list gives it

    // Makes this the lower of the two, of each figure.
    void Lower(const Ceiling& other);
  };

  // `extra`: host names and address ranges to allow besides those of `list`.  Errors: InvalidArgument naming the entry.
  static absl::StatusOr<TargetGuard> Make(const std::vector<std::string>& extra, const proto::AllowList& list = {});

  // Whether `host`, which is `address`, may be loaded. `is_overridden`: the coordinator gave the address itself, so
  // that the name proves nothing.  Errors: PermissionDenied naming host, address, the rule, and the remedy.
  absl::StatusOr<Ceiling> Check(const std::string& host, const SocketAddress& address, bool is_overridden) const;

  // The real path of the Unix socket `path`, or "@NAME" itself, and what it may be given.  Errors: PermissionDenied,
  // the same whether or not there is such a socket.
  struct UnixSocket {
    std::string path = {};
    Ceiling ceiling = {};
  };
  absl::StatusOr<UnixSocket> CheckUnix(const std::string& path) const;

  // Whether what is meant for `host` may go to `address`, which is another host's: not, if `host` is an exchange's
  // production and the address is not inside.  Errors: PermissionDenied.
  absl::Status CheckSentHost(const std::string& host, const SocketAddress& address) const;

  // Whether `host`, which nobody here can look up, may be loaded through a proxy that can: only if the list names it.
  // Errors: PermissionDenied naming the remedy.
  absl::StatusOr<Ceiling> CheckName(const std::string& host, std::uint16_t port) const;

  // The value of "env:NAME" or "file:PATH", of up to `limit` bytes, which a plan may hold if it stands under secrets.
  // Errors: as ReadFile.
  absl::StatusOr<std::string> ReadSecret(absl::string_view reference, std::size_t limit) const;
  // The contents of the file `path` at this agent, which "file:PATH" under secrets names, or "file:FOLDER/" holds, by
  // its real path. Regular files of up to `limit` bytes.  Errors: PermissionDenied with an empty message, the same
  // whether or not there is such a file; InvalidArgument naming the path, and what is wrong with it.
  absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit) const;
  // For an agent in the user's own process: it may use the sockets, files and variables that the user may.
  void AllowWhatTheUserMay() { is_users_own_ = true; }

  // What has been used of the ceilings: of the agent's whole life, whoever has a copy of its guard.
  Budgets& budgets() const { return *budgets_; }

 private:
  struct Range {
    unsigned char prefix[16];  // IPv4 as IPv4-mapped IPv6
    int bits;
  };
  struct Entry {
    std::string host = {};         // lower case, without a trailing dot; empty: `range`, or
    std::string unix_socket = {};  // as the list gives it
    Range range{};
    std::vector<std::int64_t> ports = {};
    bool is_production = false;
    Ceiling ceiling = {};
  };
  static bool Parse(const std::string& text, Range* range);
  // Its address with all bits behind the prefix 0, as "10.0.0.0/8"; empty if it has none set there.
  static std::string WithoutHostBits(const Range& range);
  static bool Contains(const Range& range, const unsigned char address[16]);
  bool IsInside(const unsigned char address[16]) const;
  bool MayRead(const std::string& path, const std::string& real) const;
  static absl::StatusOr<Entry> MakeEntry(const proto::AllowedTarget& target);

  std::vector<Entry> entries_;
  std::vector<Range> always_;
  std::vector<std::string> secrets_;
  bool is_users_own_ = false;
  std::shared_ptr<Budgets> budgets_ = std::make_shared<Budgets>();
};

// Whether `host` serves the production of an exchange that we know; its test networks are not meant.
bool IsExchangeProduction(const std::string& host);

}  // namespace tidemark

#include "agent/engine/group.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "agent/net/tls.h"
#include "common/plan/authority.h"
#include "common/plan/durations.h"
#include "common/plan/measured.h"

namespace tidemark {
namespace {

ListenRules RulesOf(const proto::Listen& listen) {
  ListenRules rules{.streams = StreamRules::Of(listen)};
  if (listen.has_hold()) rules.hold = FromProto(listen.hold());
  if (listen.has_storm()) {
    rules.delay = FromProto(listen.storm().delay());
    if (listen.storm().jitter() == "fixed") rules.jitter = ListenRules::Jitter::kFixed;
    if (listen.storm().jitter() == "full") rules.jitter = ListenRules::Jitter::kFull;
  }
  return rules;
}

std::vector<std::int64_t> WeightsOf(const proto::Plan& plan) {
  std::vector<std::int64_t> weights;
  for (const proto::Request& request : plan.requests()) weights.push_back(std::max<std::int64_t>(1, request.weight()));
  return weights;
}

void Fill(const WorkerSettings& settings, SSL_CTX* tls, Route* route) {
  const proto::Plan& plan = settings.plan;
  route->targets = settings.targets;
  route->target_indices = settings.target_indices;
  route->sources = settings.sources;
  route->is_proxied = !plan.proxy().empty();
  route->tunnel = settings.tunnel;
  route->tls = tls;
  route->server_name = ServerName(settings.target.host);
  route->connect_timeout = FromProto(plan.connect_timeout());
  route->has_stamps = HasStamps(plan, settings.target);
  route->sends.Use(settings.sends, settings.workers);
  route->connects.Use(settings.connects, settings.workers);
}

void Fill(const WorkerSettings& settings, SSL_CTX* tls, Load* load) {
  const proto::Plan& plan = settings.plan;
  Fill(settings, tls, static_cast<Route*>(load));
  std::vector<RequestBytes> requests = settings.requests;
  for (RequestBytes& request : requests) request.mask_seed = load->loop->NextRandom();
  load->requests = RequestMix(std::move(requests), WeightsOf(plan));
  load->book.TellApart(load->requests.IsMixed() ? &load->requests : nullptr);
  load->timeout = FromProto(plan.timeout());
  load->book.TimeOut(load->timeout);
  load->think_time = FromProto(plan.sweep().think_time());
  load->new_connection = plan.sweep().new_connection();
  load->target_clock = settings.target_clock;
}

void Fill(const WorkerSettings& settings, std::uint32_t worker, HttpLoad* load) {
  const proto::Plan& plan = settings.plan;
  if (!settings.last_requests.empty()) load->last_requests = RequestMix(settings.last_requests, WeightsOf(plan));
  load->success = *ParseStatusSet(plan.expect_status());
  load->limits.max_body_bytes = static_cast<std::uint64_t>(plan.max_response_bytes());
  load->follow = plan.follow();
  load->reconnect_after = plan.sweep().reconnect_after();
  load->first_answers = FirstAnswers(false, worker, &settings.masks);
  const bool is_continued = load->requests.HasAny([](const RequestBytes& r) { return r.head_bytes != 0; });
  load->is_plain_send = !is_continued && !load->sends.IsOn() && !load->connects.IsOn();
  load->is_lasting =
      load->reconnect_after == 0 && !load->requests.HasAny([](const RequestBytes& r) { return r.is_last; });
  load->is_plain_reuse = load->is_lasting && load->tls == nullptr;
  load->is_one_request = load->reconnect_after == 0 && !load->requests.IsMixed() && load->follow == 0;
}

void FillWebSocket(const WorkerSettings& settings, std::uint32_t worker, WebSocketLoad* load) {
  const proto::Plan& plan = settings.plan;
  const proto::WebSocket& web_socket = plan.web_socket();
  load->subprotocols = absl::StrJoin(web_socket.subprotocols(), ", ");
  if (web_socket.deflate()) load->deflate = std::make_unique<MessageDeflate>();
  load->upgrade = SerializeUpgrade(plan.requests(0), settings.target, load->subprotocols, web_socket.deflate());
  load->limits.max_body_bytes = static_cast<std::uint64_t>(plan.max_response_bytes());
  load->subscribe = settings.subscribe;
  load->ack = Match::Of(web_socket.ack());
  if (web_socket.control_rate() != 0) load->control_interval = static_cast<Nanos>(1e9 / web_socket.control_rate());
  load->ping_every = FromProto(web_socket.ping().every());
  load->ping_text = web_socket.ping().text();
  load->ping_reply = web_socket.ping().reply();
  if (absl::StartsWith(load->ping_reply, "/")) load->ping_match = Match::Of(load->ping_reply);
  load->must_read = !load->ack.pointer.empty() || !load->ping_reply.empty();
  load->first_refusals = FirstAnswers(true, worker, &settings.masks);
}

void Fill(const WorkerSettings& settings, std::uint32_t worker, MessagingLoad* load) {
  const proto::WebSocket& web_socket = settings.plan.web_socket();
  FillWebSocket(settings, worker, load);
  load->reply_id = web_socket.reply_id();
  load->pipeline = static_cast<std::size_t>(std::max<std::int64_t>(1, web_socket.pipeline()));
  load->must_read = load->must_read || !load->reply_id.empty();
}

void Fill(const WorkerSettings& settings, std::uint32_t worker, ListeningLoad* load) {
  FillWebSocket(settings, worker, load);
  load->rules = RulesOf(settings.plan.web_socket().listen());
  load->must_read = load->must_read || load->rules.streams.MustRead();
}

}  // namespace

Group::Group(const WorkerSettings& settings, std::uint32_t worker, LoopState* loop, SSL_CTX* tls)
    : of_(std::in_place_type<Of<HttpConnection>>, loop) {
  if (settings.target.is_web_socket) {
    settings.plan.web_socket().has_listen() ? void(of_.emplace<Of<ListeningConnection>>(loop))
                                            : void(of_.emplace<Of<MessagingConnection>>(loop));
  }
  load_ = Visit([](auto&, auto& shared) -> Load* { return &shared; });
  Fill(settings, tls, load_);
  Visit([&](auto&, auto& shared) { Fill(settings, worker, &shared); });
}

const WebSocketLoad* Group::web_socket() const {
  return std::visit(
      [](const auto& of) -> const WebSocketLoad* {
        if constexpr (std::is_base_of_v<WebSocketLoad, std::decay_t<decltype(of.shared)>>) return &of.shared;
        return nullptr;
      },
      of_);
}

std::size_t Group::size() const {
  return std::visit([](const auto& of) { return of.connections.size(); }, of_);
}

void Group::Clear() {
  Visit([](auto& connections, auto&) { connections.clear(); });
}

void Group::RecordInto(Recorder* recorder) {
  load_->loop->recorder = recorder;
  Visit([recorder](auto&, auto& shared) { shared.RecordInto(recorder); });
}

}  // namespace tidemark

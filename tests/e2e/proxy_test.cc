// A target behind tinyproxy, a proxy that others have written.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/e2e/programs.h"
#include "tests/support/listener.h"

namespace tidemark {
namespace {

// Waits for a connection; tinyproxy says nowhere that it listens.
bool Answers(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const bool is_up = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return is_up;
}

TEST(ProxyE2eTest, TinyproxyIsAskedInAbsoluteFormAndForTunnels) {
  TempDir dir;
  const Listener free_one = ListenOn("127.0.0.1", 1);  // tinyproxy takes no port 0, nor a socket of ours
  close(free_one.fd);
  const std::string port = std::to_string(free_one.port);
  Spill(dir / "tinyproxy.conf",
        "Port " + port + "\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nBasicAuth ann sesame1\n");
  Process proxy({"tinyproxy", "-d", "-c", dir / "tinyproxy.conf"});
  for (int i = 0; i < 2'000 && !Answers(free_one.port) && proxy.IsRunning(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(proxy.IsRunning()) << proxy.Err() << proxy.Out();

  const Certificate certificate(dir, "target", "IP:127.0.0.1");
  Nginx plain("location / { return 200 hello; }");
  Nginx secure("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                   "; location / { return 200 hello; }",
               " ssl");
  const std::string with = "http://ann:sesame1@127.0.0.1:" + port;
  for (const std::string& url : {"http://127.0.0.1:" + std::to_string(plain.port()) + "/",
                                 "https://127.0.0.1:" + std::to_string(secure.port()) + "/"}) {
    std::vector<std::string> arguments = {"--proxy", with, "-c", "2", "-n", "20"};
    // tinyproxy closes after each answer without saying so; a request that has gone out by then is lost.
    if (url.rfind("https", 0) != 0) arguments.push_back("--new-connection");
    if (url.rfind("https", 0) == 0) arguments.insert(arguments.end(), {"--cacert", certificate.cert});
    arguments.push_back(url);
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(run.code, 0) << url << run.err;
    EXPECT_EQ(Int(run.report, "total.successful_requests"), 20) << url;
    EXPECT_EQ(At(run.report, "plan.proxy").as_string(), "http://***@127.0.0.1:" + port);
    EXPECT_NE(run.out.find(", proxy 127.0.0.1:" + port), std::string::npos) << run.out;
    EXPECT_EQ((run.out + run.err + boost::json::serialize(run.report)).find("sesame1"), std::string::npos);
  }
  const RunOutcome refused =
      TidemarkRun({"--proxy", "http://127.0.0.1:" + port, "-c", "2", "-n", "2", "--cacert", certificate.cert,
                   "https://127.0.0.1:" + std::to_string(secure.port()) + "/"});
  EXPECT_EQ(refused.code, 5);
  EXPECT_NE(refused.err.find("proxy 127.0.0.1:" + port + ": answered with 407"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("does the proxy know CONNECT, and let this user through?"), std::string::npos);
  EXPECT_EQ(secure.Quantities()["200"], 20);
  EXPECT_EQ(plain.Quantities()["200"], 20);
  proxy.Signal(SIGTERM);
  proxy.Wait();
}

TEST(ProxyE2eTest, AProxyOfTheEnvironmentIsRemarkedOnOnce) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "1", "-n", "2", mock.Url()}, {"env", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY="});
  EXPECT_EQ(run.code, 0) << run.err;
  const std::string remark = "HTTP_PROXY is set, and not used";
  const std::size_t at = run.err.find(remark);
  EXPECT_NE(at, std::string::npos) << run.err;
  EXPECT_EQ(run.err.find(remark, at + 1), std::string::npos) << run.err;
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 2);
}

}  // namespace
}  // namespace tidemark

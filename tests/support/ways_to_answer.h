// Ways to answer, well and badly, composed of a status line, a field, a framing and a body: each has one right ending
// by RFC 9110 and 9112, however its bytes are cut.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

inline constexpr int kMaxBodyOfWays = 100;  // bytes, beyond which a body is over the limit

enum class Ending { kComplete, kWaits, kMalformed, kOverLimit, kClosedEarly };

// With its own line end.
struct Line {
  std::string text;
  bool is_malformed = false;
  bool keeps = true;         // what it says lets the connection be used again
  bool is_of_value = false;  // the fault is in what a field means, which may be judged when the header is whole
  int status = 200;
};

inline const std::vector<Line> kStatusLines = {
    {"HTTP/1.1 200 OK\r\n"},
    {"HTTP/1.1 200 \r\n"},
    {"HTTP/1.1 200\r\n"},
    {"HTTP/1.1 200 OK\n"},
    {"HTTP/1.1 200\n"},
    {"HTTP/1.1 404 Not Found\r\n", false, true, false, 404},
    {"HTTP/1.1 599 caf\xe9\t1\r\n", false, true, false, 599},
    {"HTTP/1.0 200 OK\r\n", false, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"},
    {"HTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 100\n\nHTTP/1.1 200 OK\r\n"},
    {"\x15\x03\x03\x00\x02\x02\x28", true},
    {"\x81\x05hello", true},
    {"\r\nHTTP/1.1 200 OK\r\n", true},
    {" HTTP/1.1 200 OK\r\n", true},
    {"HTTP/2 200\r\n", true},
    {"HTTP/2.0 200 OK\r\n", true},
    {"HTTP/1.2 200 OK\r\n", true},
    {"HTTP/01.1 200 OK\r\n", true},
    {"HTTP/1,1 200 OK\r\n", true},
    {"http/1.1 200 OK\r\n", true},
    {"HTP/1.1 200 OK\r\n", true},
    {"ICY 200 OK\r\n", true},
    {"200 OK\r\n", true},
    {"<html>\r\n", true},
    {"HTTP/1.1 20x OK\r\n", true},
    {"HTTP/1.1 20 OK\r\n", true},
    {"HTTP/1.1 2000 OK\r\n", true},
    {"HTTP/1.1 -20 OK\r\n", true},
    {"HTTP/1.1  200 OK\r\n", true},
    {"HTTP/1.1\t200 OK\r\n", true},
    {"HTTP/1.1 200\tOK\r\n", true},
    {"HTTP/1.1 200 O\x01K\r\n", true},
    {"HTTP/1.1 200 OK\rA: b\r\n", true},
    {"HTTP/1.1 200 OK\r\n \r\n", true},
    {"HTTP/1.1 103 Early\r\nbad line\r\n\r\nHTTP/1.1 200 OK\r\n", true},
    {"HTTP/1.1 100 Continue\r\n\r\nICY 200 OK\r\n", true},
};

inline const std::string kKeepAlive = "Connection: keep-alive\r\n";
inline const std::vector<Line> kFields = {
    {""},
    {"Server: x\r\n"},
    {"Server:x\r\n"},
    {"Server:\r\n"},
    {"X: a\r\n b\r\n"},
    {"X: \xe9\t\r\n"},
    {"X: a\nY: b\r\n"},
    {kKeepAlive},
    {"Connection: close\r\n", false, false},
    {"Connection: x, close\r\n", false, false},
    {"connection: CLOSE\r\n", false, false},
    {"Server : x\r\n", true},
    {": x\r\n", true},
    {"Server\r\n", true},
    {"Ser ver: x\r\n", true},
    {"S\xe9: x\r\n", true},
    {"Server: x\x01\r\n", true},
    {"Server: x\x7f\r\n", true},
    {"Server: x\ry\r\n", true},
    {"HTTP/1.1 200 OK\r\n", true},
    {"Content-Length: -1\r\n", true, true, true},
    {"Content-Length: +5\r\n", true, true, true},
    {"Content-Length: 0x5\r\n", true, true, true},
    {"Content-Length: 5 5\r\n", true, true, true},
    {"Content-Length: 5, 6\r\n", true, true, true},
    {"Content-Length: 5;a\r\n", true, true, true},
    {"Content-Length: \r\n", true, true, true},
    {"Content-Length: 99999999999999999999\r\n", true, true, true},
};

// What comes behind the status line and the field, and how it ends while the peer keeps the connection, and if it
// closes it. Of a response that a close completes no connection is left.
struct Rest {
  std::string text;
  Ending open = Ending::kMalformed;
  Ending closed = Ending::kMalformed;
  bool has_more = false;  // bytes behind the response
  bool has_whole_header = true;
};

inline constexpr Ending kComplete = Ending::kComplete;
inline constexpr Ending kWaits = Ending::kWaits;
inline constexpr Ending kMalformed = Ending::kMalformed;
inline constexpr Ending kOverLimit = Ending::kOverLimit;
inline constexpr Ending kClosedEarly = Ending::kClosedEarly;

inline Rest Chunks(const std::string& bytes, Ending open = kMalformed, Ending closed = kMalformed,
                   bool has_more = false) {
  return {"Transfer-Encoding: chunked\r\n\r\n" + bytes, open, closed, has_more};
}

inline const std::vector<Rest> kRests = {
    {"Content-Length: 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 0\r\n\r\n", kComplete, kComplete},
    {"Content-Length: 5\n\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\n\nhello", kComplete, kComplete},
    {"Content-Length: 5, 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\n\r\nhello!", kComplete, kComplete, true},
    {"Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", kComplete, kComplete, true},
    {"Content-Length: 5\r\n\r\nhel", kWaits, kClosedEarly},
    {"Content-Length: 5\r\n\r\n", kWaits, kClosedEarly},
    {"Content-Length: 5\r\n\r", kWaits, kClosedEarly, false, false},
    {"Content-Length: 5\n", kWaits, kClosedEarly, false, false},
    {"", kWaits, kClosedEarly, false, false},
    {"Content-Length: 101\r\n\r\n", kOverLimit, kOverLimit},
    {"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
    {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"},
    {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"},
    {"Content-Length: 2\r\nTransfer-Encoding: gzip\r\n\r\nok"},
    {"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"},
    {"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"\r\nhello", kWaits, kComplete},
    {"\nhello", kWaits, kComplete},
    {"\r\n", kWaits, kComplete},
    {"\r\n" + std::string(101, 'x'), kOverLimit, kOverLimit},
    {"Transfer-Encoding: gzip\r\n\r\nhello", kWaits, kComplete},
    {"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", kComplete, kComplete},
    {"transfer-encoding: CHUNKED\n\n1\r\na\r\n0\r\n\r\n", kComplete, kComplete},
    Chunks("5\r\nhello\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\n\r\n", kComplete, kComplete),
    Chunks("000\r\n\r\n", kComplete, kComplete),
    Chunks("A\r\n0123456789\r\n00b\r\n0123456789a\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("1;a\r\nx\r\n1;a=b;c=\"d \\\" e\"\r\ny\r\n0;f\r\n\r\n", kComplete, kComplete),
    Chunks("1 ; a = b\r\nx\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\nA: b\r\nC: d\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\n\r\n!", kComplete, kComplete, true),
    Chunks("", kWaits, kClosedEarly),
    Chunks("5", kWaits, kClosedEarly),
    Chunks("5\r\nhel", kWaits, kClosedEarly),
    Chunks("5\r\nhello", kWaits, kClosedEarly),
    Chunks("5\r\nhello\r\n", kWaits, kClosedEarly),
    Chunks("5\r\nhello\r\n0\r\n", kWaits, kClosedEarly),
    Chunks("0\r\nA: b\r\n", kWaits, kClosedEarly),
    Chunks("65\r\n", kOverLimit, kOverLimit),
    Chunks("32\r\n" + std::string(50, 'x') + "\r\n33\r\n", kOverLimit, kOverLimit),
    Chunks("<html>"),
    Chunks("hello"),
    Chunks("-5\r\nhello"),
    Chunks("+5\r\nhello"),
    Chunks("0x5\r\nhello"),
    Chunks(" 5\r\nhello"),
    Chunks("5 \r\nhello"),
    Chunks("5,\r\nhello"),
    Chunks("5;\r\nhello"),
    Chunks("5;=b\r\nhello"),
    Chunks("5;a=\r\nhello"),
    Chunks("5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    Chunks("5 a\r\nhello"),
    Chunks("5\nhello"),
    Chunks("5\rhello"),
    Chunks("\r\n5\r\nhello"),
    Chunks("11111111111111111"),
    Chunks("5\r\nhello!"),
    Chunks("5\r\nhello\n0\r\n\r\n"),
    Chunks("5\r\nhello0\r\n\r\n"),
    Chunks("5\r\nhello\r\n\r\n"),
    Chunks("5\r\nhello\r\nHTTP/1.1 200 OK\r\n"),
    Chunks("0\r\nbad line\r\n\r\n"),
    Chunks("0\r\n: b\r\n\r\n"),
    Chunks("0\r\nA : b\r\n\r\n"),
    Chunks("0\r\nA: b\n\n"),
    Chunks("0\n\n"),
    Chunks("0\r\n@"),
};

// One of them: all of its bytes, and how it ends while the peer keeps the connection, and if it closes it.
struct Way {
  std::string text;
  Ending open = kWaits;
  Ending closed = kClosedEarly;
  bool keeps = false;     // a response that is complete leaves a connection that may be used again, if it is open
  bool has_more = false;  // bytes behind the response
  int status = 200;       // of a complete response
};

// All in which two parts at most are not the plainest.
inline std::vector<Way> WaysToAnswer() {
  std::vector<Way> ways;
  for (std::size_t s = 0; s < kStatusLines.size(); ++s) {
    for (std::size_t f = 0; f < kFields.size(); ++f) {
      for (std::size_t r = 0; r < kRests.size(); ++r) {
        if (s != 0 && f != 0 && r != 0) continue;
        const Line& line = kStatusLines[s];
        const Line& field = kFields[f];
        const Rest& rest = kRests[r];
        if (field.is_of_value && !rest.has_whole_header) continue;
        const bool is_malformed = line.is_malformed || field.is_malformed;
        ways.push_back({.text = line.text + field.text + rest.text,
                        .open = is_malformed ? kMalformed : rest.open,
                        .closed = is_malformed ? kMalformed : rest.closed,
                        .keeps = (line.keeps || field.text == kKeepAlive) && field.keeps && !rest.has_more,
                        .has_more = rest.has_more,
                        .status = line.status});
      }
    }
  }
  return ways;
}

}  // namespace tidemark

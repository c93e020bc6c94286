// Messages whose fields say anything.
#pragma once

#include <google/protobuf/message.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tidemark {

// Seeded.
class Random {
 public:
  explicit Random(std::uint64_t seed) : rng_(seed) {}
  std::uint64_t Below(std::uint64_t end) { return rng_() % end; }

 private:
  std::mt19937_64 rng_;
};

// Sets fields of a message at random, to what is near a limit, or beyond all of them.
inline void Scramble(Random* random, google::protobuf::Message* message, int depth) {
  static const std::vector<std::string> kTexts = {"",
                                                  "x",
                                                  "/",
                                                  "/a",
                                                  "-1",
                                                  "1e999",
                                                  "{slot}",
                                                  "{now:ms}",
                                                  "{random:1..9}",
                                                  "{pick:a,b}",
                                                  "{name}",
                                                  "{{name}}",
                                                  "{env:HOME}",
                                                  "{file:/etc/passwd}",
                                                  "/dev/zero",
                                                  "closed",
                                                  "poisson",
                                                  "p99:5%",
                                                  "200-399",
                                                  "127.0.0.1:1:127.0.0.1",
                                                  "http://127.0.0.1:1/",
                                                  "ws://127.0.0.1:1/",
                                                  "https://127.0.0.1:1/",
                                                  "unix:/run/docker.sock:/",
                                                  "http://8.8.8.8/",
                                                  "http://no.such.invalid/",
                                                  "GET",
                                                  "A: b",
                                                  "fail",
                                                  "spin",
                                                  "4",
                                                  "6",
                                                  std::string(70'000, 'y'),
                                                  std::string("\0\x1b[2J", 5),
                                                  "/result=null",
                                                  "consecutive",
                                                  "connection"};
  static const std::vector<std::int64_t> kNumbers = {0,     1,         2,  3,         7,         50,
                                                     1'000, 1'000'000, -1, INT32_MAX, INT64_MAX, INT64_MIN};
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection* const set = message->GetReflection();
  const auto* const type = message->GetDescriptor();
  if (type->field_count() == 0) return;
  for (std::uint64_t i = random->Below(3) + 1; i > 0; --i) {
    const Field* const field =
        type->field(static_cast<int>(random->Below(static_cast<std::uint64_t>(type->field_count()))));
    const std::int64_t number = kNumbers[random->Below(kNumbers.size())];
    const std::string& text = kTexts[random->Below(kTexts.size())];
    const bool is_many = field->is_repeated();
    switch (field->cpp_type()) {
      case Field::CPPTYPE_INT32:
        is_many ? set->AddInt32(message, field, static_cast<std::int32_t>(number))
                : set->SetInt32(message, field, static_cast<std::int32_t>(number));
        break;
      case Field::CPPTYPE_UINT32:
        is_many ? set->AddUInt32(message, field, static_cast<std::uint32_t>(number))
                : set->SetUInt32(message, field, static_cast<std::uint32_t>(number));
        break;
      case Field::CPPTYPE_INT64:
        is_many ? set->AddInt64(message, field, number) : set->SetInt64(message, field, number);
        break;
      case Field::CPPTYPE_UINT64:
        is_many ? set->AddUInt64(message, field, static_cast<std::uint64_t>(number))
                : set->SetUInt64(message, field, static_cast<std::uint64_t>(number));
        break;
      case Field::CPPTYPE_DOUBLE: {
        const double value = random->Below(8) == 0 ? std::nan("") : static_cast<double>(number) / 3;
        is_many ? set->AddDouble(message, field, value) : set->SetDouble(message, field, value);
        break;
      }
      case Field::CPPTYPE_BOOL:
        is_many ? set->AddBool(message, field, true) : set->SetBool(message, field, number != 0);
        break;
      case Field::CPPTYPE_STRING:
        is_many ? set->AddString(message, field, text) : set->SetString(message, field, text);
        break;
      case Field::CPPTYPE_MESSAGE:
        if (depth > 0)
          Scramble(random, is_many ? set->AddMessage(message, field) : set->MutableMessage(message, field), depth - 1);
        break;
      default:
        break;
    }
  }
}

}  // namespace tidemark

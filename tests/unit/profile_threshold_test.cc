// --fail-if of flame diff: the shared grammar, three answers.
#include "profile/diff_threshold.h"

#include <doctest/doctest.h>

#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;

namespace {

Diff sample_diff() {
  Profile before, after;
  for (const auto& [name, b, a] :
       {std::tuple("up", 30'000, 36'000), {"same", 60'000, 60'000}, {"rare", 5, 6}}) {
    add_stack(before, {"main", name}, static_cast<std::uint64_t>(b));
    add_stack(after, {"main", name}, static_cast<std::uint64_t>(a));
  }
  return compare(before, after);
}

std::string verdict(std::string_view text) {
  const auto t = DiffThreshold::compile(text);
  if (!t.ok()) return "error: " + t.error().what;
  return std::string(name_of(t->evaluate(sample_diff()).verdict));
}

}  // namespace

TEST_CASE("diff threshold: three answers") {
  CHECK(verdict("self(\"up\") > +5%") == "more");
  CHECK(verdict("self('up') > 5%") == "more");
  CHECK(verdict("self(\"up\") > +50%") == "not more");
  CHECK(verdict("self(\"up\") > 20%") == "inconclusive");
  CHECK(verdict("self(\"same\") > +5%") == "not more");
  CHECK(verdict("self(\"rare\") > +5%") == "inconclusive");
  CHECK(verdict("self(\"absent\") > +5%") == "inconclusive");
  CHECK(verdict("total(\"main\") > 0%") == "not more");
  CHECK(verdict("self(\"same\") < -5%") == "more");
  CHECK(verdict("-5% > self(\"same\")") == "more");
  CHECK(verdict("self > +5%") == "more");
  CHECK(verdict("self > +100%") == "not more");
}

TEST_CASE("diff threshold: what is open stays open unless the other side decides") {
  CHECK(verdict("self(\"rare\") > +5% && self(\"up\") > +5%") == "inconclusive");
  CHECK(verdict("self(\"rare\") > +5% && self(\"same\") > +5%") == "not more");
  CHECK(verdict("self(\"rare\") > +5% || self(\"up\") > +5%") == "more");
  CHECK(verdict("self(\"rare\") > +5% || self(\"same\") > +5%") == "inconclusive");
  CHECK(verdict("!(self(\"same\") > +5%)") == "more");
  CHECK(verdict("!(self(\"rare\") > +5%)") == "inconclusive");
}

TEST_CASE("diff threshold: mistakes are named") {
  CHECK(verdict("self(\"up\")") == "error: this alone is no condition");
  CHECK(verdict("self(up) > 5%") == "error: the function's name belongs between quotes");
  CHECK(verdict("self() > 5%") == "error: the function's name belongs between quotes");
  CHECK(verdict("self(\"up\") > 5") == "error: a change compares with a percentage");
  CHECK(verdict("self(\"up\") > 5ms") == "error: a change compares with a percentage");
  CHECK(verdict("self(\"up\") == 5%") == "error: == does not go with changes");
  CHECK(verdict("count > 5%") == "error: what changes is missing here");
  CHECK(verdict("5% > 6%") == "error: what changes is missing here");
  CHECK(verdict("self(\"up\") > +") != "more");
  CHECK(verdict("") != "more");
}

TEST_CASE("diff threshold: a function that nobody has is a mistake") {
  const Diff diff = sample_diff();
  const auto check = [&diff](std::string_view text) {
    const auto r = DiffThreshold::compile(text)->check_names(diff);
    return r.ok() ? std::string("ok") : r.error().what + "; " + r.error().hint;
  };
  CHECK(check("self(\"rare\") > +5% || total(\"main\") > 0%") == "ok");
  CHECK(check("self > +5%") == "ok");
  CHECK(check("self > 1% && self(\"sane\") > +5%") ==
        "no function is named \"sane\"; did you mean same or rare?");
  CHECK(check("self(\"zzzzzzzzz\") > +5%")
            .starts_with("no function is named \"zzzzzzzzz\"; names are compared"));
}

TEST_CASE("diff threshold: the text says what was measured") {
  const auto t = DiffThreshold::compile("self(\"up\") > +5%");
  REQUIRE(t.ok());
  const std::string text = t->evaluate(sample_diff()).text;
  CHECK(text.starts_with("self(\"up\") = +20.0 % (at least +1"));
  CHECK(change_text(-1) == "gone");
  CHECK(change_text(1.0 / 0.0) == "new");
  CHECK(change_text(19) == "x 20.0");
}

// Choosing among the variants of hooks.
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>

#include "base/text.h"
#include "probe/features.h"
#include "probe/privileges.h"

namespace plumb {
namespace {

constexpr std::string_view kNone = "none";

template <class T>
std::vector<std::string_view> names_of(const std::vector<T>& items) {
  std::vector<std::string_view> out;
  for (const T& item : items) out.push_back(item.name);
  return out;
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view n : names) out += (out.empty() ? "" : ", ") + std::string(n);
  return out;
}

Error unknown(const char* what, std::string_view word, const std::vector<std::string_view>& known) {
  const auto near = suggestions(word, known, 1);
  return Error{"PLUMB_HOOKS: no " + std::string(what) + " '" + std::string(word) + "'",
               known.empty() ? "there is none" : "there is " + joined(known),
               near.empty() ? "PLUMB_HOOKS=HOOK=VARIANT[,HOOK=VARIANT]; `plumb doctor` lists them"
                            : "did you mean '" + std::string(near.front()) + "'?"};
}

struct Forced {
  bool given = false;
  const HookVariant* variant = nullptr;  // nullptr: none
};

Result<void> force(const std::vector<Hook>& hooks, std::string_view item, std::vector<Forced>& out) {
  const std::size_t equals = item.find('=');
  if (equals == std::string_view::npos) {
    return Error{"PLUMB_HOOKS: no '=' in '" + std::string(item) + "'",
                 "expected HOOK=VARIANT[,HOOK=VARIANT]"};
  }
  const std::string_view name = item.substr(0, equals);
  const std::string_view variant = item.substr(equals + 1);
  const auto hook = std::ranges::find(hooks, name, &Hook::name);
  if (hook == hooks.end()) return unknown("hook", name, names_of(hooks));
  Forced& forced = out[static_cast<std::size_t>(hook - hooks.begin())];
  forced.given = true;
  if (variant == kNone && !hook->required) {
    forced.variant = nullptr;
    return {};
  }
  const auto found = std::ranges::find(hook->variants, variant, &HookVariant::name);
  if (found == hook->variants.end()) {
    auto known = names_of(hook->variants);
    if (!hook->required) known.push_back(kNone);
    return unknown(("variant of " + std::string(name)).c_str(), variant, known);
  }
  forced.variant = &*found;
  return {};
}

Result<std::vector<Forced>> parse_forced(const std::vector<Hook>& hooks, std::string_view text) {
  std::vector<Forced> out(hooks.size());
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    if (item.empty()) continue;
    if (auto r = force(hooks, item, out); !r) return std::move(r).error();
  }
  return out;
}

bool lacks_privilege(const Feature& f) {
  return f.error == EPERM || f.error == EACCES;
}

Error no_variant(const Hook& hook, const HookChoice& choice) {
  const std::string what = "cannot trace " + std::string(hook.purpose);
  const bool all_refused = !choice.tried.empty() && std::ranges::all_of(choice.tried, [](const auto& t) {
    return lacks_privilege(t.second);
  });
  if (all_refused) {
    const Privileges p = own_privileges();
    if (!missing_for_tracing(p).empty() || p.seccomp)
      return refused(what, choice.tried.front().second.error, p);
  }
  std::string why;
  for (const auto& [name, feature] : choice.tried) {
    why += (why.empty() ? "" : "; ") + std::string(name) + ": " + feature.why;
  }
  return Error{what, why, "`plumb doctor` shows what works here"};
}

Result<HookChoice> choose(Features& features, const Hook& hook, const Forced& forced) {
  HookChoice choice{&hook, nullptr, {}};
  if (!hook.wanted && !forced.given) return choice;
  for (const HookVariant& variant : hook.variants) {
    if (forced.given && forced.variant != &variant) continue;
    choice.tried.emplace_back(variant.name, variant.probe(features));
    const Feature& answer = choice.tried.back().second;
    if (answer.works) {
      choice.variant = &variant;
      break;
    }
    if (forced.given) {
      return Error{
          "PLUMB_HOOKS: " + std::string(hook.name) + "=" + std::string(variant.name) + " does not work here",
          answer.why, "leave it out and plumb chooses what works"};
    }
  }
  if (!hook.wanted) return HookChoice{&hook, nullptr, {}};
  if (choice.variant == nullptr && hook.required) return no_variant(hook, choice);
  return choice;
}

}  // namespace

std::string_view forced_hooks() {
  const char* text = std::getenv("PLUMB_HOOKS");
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

std::string forced_among(const std::vector<Hook>& hooks, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const bool ours = std::ranges::find(hooks, item.substr(0, item.find('=')), &Hook::name) != hooks.end();
    if (ours) out += (out.empty() ? "" : ",") + std::string(item);
  }
  return out;
}

Result<void> check_forced(const std::vector<Hook>& hooks, std::string_view text) {
  auto forced = parse_forced(hooks, text);
  return forced ? Result<void>{} : std::move(forced).error();
}

Result<std::vector<HookChoice>> choose_hooks(Features& features, const std::vector<Hook>& hooks,
                                             std::string_view forced) {
  auto wanted = parse_forced(hooks, forced);
  if (!wanted) return std::move(wanted).error();
  std::vector<HookChoice> choices;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    auto choice = choose(features, hooks[i], (*wanted)[i]);
    if (!choice) return std::move(choice).error();
    choices.push_back(*std::move(choice));
  }
  return choices;
}

std::string describe_choices(const std::vector<HookChoice>& choices) {
  std::string out;
  for (const HookChoice& choice : choices) {
    if (!choice.hook->wanted) continue;
    out += "hook " + std::string(choice.hook->name) + ": ";
    if (choice.variant == nullptr) {
      out += "none";
    } else {
      out += std::string(choice.variant->name) + " (" + std::string(choice.variant->cost) + ")";
    }
    for (const auto& [name, feature] : choice.tried) {
      if (!feature.works) out += "; not " + std::string(name) + ": " + feature.why;
    }
    out += '\n';
  }
  return out;
}

Result<void> apply_choices(bpf_object* object, const std::vector<Hook>& hooks,
                           const std::vector<HookChoice>& choices) {
  std::map<std::string_view, bool> wanted;
  for (const Hook& hook : hooks) {
    for (const HookVariant& variant : hook.variants) {
      for (const std::string_view program : variant.programs) wanted.emplace(program, false);
    }
  }
  // Variants may share a program: on wins.
  for (const HookChoice& choice : choices) {
    if (choice.variant == nullptr) continue;
    for (const std::string_view program : choice.variant->programs) wanted[program] = true;
  }
  for (const auto& [name, on] : wanted) {
    bpf_program* program = bpf_object__find_program_by_name(object, std::string(name).c_str());
    if (program == nullptr) {
      return Error{"cannot choose among hooks", "the BPF object has no program " + std::string(name)};
    }
    if (const int e = bpf_program__set_autoload(program, on); e != 0) {
      return Error{"cannot choose among hooks", std::string(name) + ": " + errno_text(-e)};
    }
  }
  return {};
}

}  // namespace plumb

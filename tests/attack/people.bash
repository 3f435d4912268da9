# People grant themselves groups; secrets, JSON and built-in tools.

sre_gate() { # RISK
  cat > "$workspace/ship.yaml" << YAML
steps:
  - {id: a, run: "true"}
  - {id: g, needs: a, gate: {prompt: go?, require: sre, risk: $1, undo-window: 0s}}
  - {id: z, needs: g, run: touch shipped}
YAML
}

# This user in these groups, and bob in sre, in a file that others than root can write.
own_people() { # GROUPS
  printf "[[person]]\nname = 'me'\nuid = %s\ngroups = [%s]\n" "$(id -u)" "$1" > "$workspace/.cuelight/people.toml"
  printf "[[person]]\nname = 'bob'\nuid = 4000000\ngroups = ['sre']\n" >> "$workspace/.cuelight/people.toml"
  chmod 666 "$workspace/.cuelight/people.toml"
}

asks() { cue gates --json | grep -q '"g-1"'; }

# The engine ends with its workspace's attack.
begun() {
  cue run ship.yaml --headless > "$workspace/run.out" 2>&1 &
  engine=$!
  until_true asks
}

# Approves until the gate has asked anew, and prints the last refusal.
approve_for_long() { # ARGUMENT…
  local said
  for _ in 1 2 3 4 5 6; do
    said=$(cue approve g-1 "$@" 2>&1) && break
    sleep 0.2
  done
  sleep 0.5
  cue cancel r-1 > /dev/null 2>&1
  wait "$engine"
  printf '%s\n' "$said"
  [ ! -e "$workspace/shipped" ]
}

grants_itself_a_group() {
  fresh people; mkdir -p "$workspace/.cuelight"; sre_gate reversible
  own_people "'dev'"; begun
  own_people "'dev', 'sre'"
  approve_for_long
}
attack "the user enters a group while its gate asks" grants_itself_a_group

writes_the_first_file() {
  fresh people; mkdir -p "$workspace/.cuelight"; sre_gate reversible; begun
  own_people "'sre'"
  approve_for_long
}
attack "the user writes the first people.toml while a gate asks" writes_the_first_file

self_declared_at_high_risk() {
  fresh people; mkdir -p "$workspace/.cuelight"; sre_gate irreversible
  own_people "'sre'"; begun
  approve_for_long --ask "$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *//p')"
}
attack "a self-declared group at an irreversible gate" self_declared_at_high_risk

breaks_the_glass_by_file() {
  fresh people; mkdir -p "$workspace/.cuelight"; sre_gate reversible
  own_people "'dev'"; begun
  own_people "'dev', 'break-glass'"
  approve_for_long --break-glass --reason "the whole site is down and nobody comes"
}
attack "the user enters break-glass while a gate asks" breaks_the_glass_by_file

no_people_no_word() {
  fresh people; sre_gate reversible
  cue check ship.yaml 2>&1 | grep "nobody can answer this"
}
attack "check is silent on a group where no people.toml is" no_people_no_word

# Ann signs one answer. The owner copies the workspace while the gate is open, accepts the copy, and gives the answer in at both.
copied_answer() {
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" -eq 0 ] || absent "people.toml of root (run as root)"
  fresh people
  local here=$workspace
  mkdir "$here/.cuelight"
  ssh-keygen -q -t ed25519 -N '' -C ann -f "$here/ann"
  printf "[[person]]\nname = 'me'\nuid = 0\n[[person]]\nname = 'ann'\ngroups = ['sre']\nkeys = ['%s']\n" "$(cat "$here/ann.pub")" > "$here/.cuelight/people.toml"
  chmod 644 "$here/.cuelight/people.toml"
  printf 'name: w\nsteps:\n  - {id: ok, gate: {prompt: go?, require: [{group: sre}], undo-window: 0s}}\n  - {id: ship, needs: ok, run: "echo shipped >> %s.shipped"}\n' "$here" > "$here/ship.yaml"
  begun
  cue approve g-1 --as ann --statement answer > "$here/said" 2>&1
  ssh-keygen -q -Y sign -n cuelight-decision -f "$here/ann" "$here/answer" 2>> "$here/said" || { cat "$here/said"; return 1; }
  cue engine shutdown > /dev/null 2>&1; wait "$engine" 2> /dev/null
  cp -a "$here" "$here.copy"
  workspace=$here.copy
  local hash result=0
  hash=$(in_workspace trust --json 2> /dev/null | grep '^  "hash"' | grep -o '[0-9a-f]\{64\}')
  in_workspace trust --accept "$hash" > /dev/null 2>&1
  if in_workspace approve g-1 --signed answer > "$workspace/said" 2>&1; then echo "it counts in the copy"; result=1; fi
  in_workspace cancel r-1 --reason done > /dev/null 2>&1
  workspace=$here
  cue approve g-1 --signed answer > "$here/said" 2>&1 || { echo "it does not count where it was signed"; result=1; cat "$here/said"; }
  [ "$result" -ne 0 ] || until_true test -e "$here.shipped" || { echo "nothing was shipped here"; result=1; }
  tail -n 1 "$here.copy/said"
  return "$result"
}
attack "one signed answer counts in a workspace and in its copy" copied_answer

# What a step asks and says is a step's, and no person's.
step_speaks() {
  fresh people
  cat > "$workspace/ship.yaml" << YAML
steps:
  - {id: g, gate: {prompt: go?}}
  - {id: t, run: "until '$program' gate comment g-1 'I have read it all'; do sleep 0.1; done; '$program' gate --title 'Rotate the keys?' --timeout 60s -- true"}
YAML
  begun
  until_true eval 'cue gates --json | grep -q "\"g-2\""' || { cat "$workspace/run.out"; return 1; }
  cue gates --show g-1 > "$workspace/said"; cue gates --show g-2 >> "$workspace/said"
  cue cancel r-1 > /dev/null 2>&1; cue cancel r-2 > /dev/null 2>&1
  wait "$engine"
  grep 'a step (as .*): I have read it all' "$workspace/said" && grep 'asked for by a step (as' "$workspace/said" || { cat "$workspace/said"; return 1; }
}
attack "a step's question and comment are read as a person's" step_speaks

# What the author of a gate is told before anybody is asked.
warned() { # WORDS STEPS
  printf 'steps:\n  - {id: m, wait: {event: go/now}}\n%s\n' "$2" > "$workspace/ship.yaml"
  grep -o "$1.*" <<< "$(cue check ship.yaml 2>&1)"
}
# shellcheck disable=SC2016
left_out_by_others() {
  fresh people
  warned "anyone who can set it leaves this gate out" '  - {id: g, needs: m, if: "${{ state.global.gate != 1 }}", gate: {prompt: go?}}' &&
    warned "anyone who can set it approves this gate alone" '  - {id: g, needs: m, gate: {prompt: go?, auto: "${{ state.global.gate == 1 }}"}}' &&
    warned "anyone who can send it leaves this gate out" '  - {id: g, needs: m, if: "${{ steps.m.outputs.data.gate != 1 }}", gate: {prompt: go?}}' &&
    warned "runs although the gate .g. is rejected" '  - {id: g, gate: {prompt: go?}}
  - {id: z, needs: g, if: "${{ !failure() }}", run: "true"}'
}
misspelt_people() {
  local name
  fresh people; mkdir -p "$workspace/.cuelight"; own_people "'sre'"
  for name in Bob person:Bob bob@x no-such-group; do
    warned "excludes nobody: people.toml has no person and no group $name" "  - {id: g, gate: {prompt: go?, require: [sre], forbid: ['$name']}}" || return 1
  done
}
attack "check is silent on a gate that a shared value or a message leaves out" left_out_by_others
attack "check is silent on a forbid that names nobody" misspelt_people

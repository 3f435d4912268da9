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
  approve_for_long --code "$(cue gates --show g-1 | grep -o -- '--code .*' | cut -d' ' -f2)"
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

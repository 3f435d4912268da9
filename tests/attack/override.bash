# shellcheck shell=bash
# Closing a gate by hand, and the ways around it over a correction, a step before it and its form.

# A gate that is open, and the step it guards: `guarded RULES`. The marker file shows that the step ran.
guarded() {
  fresh override
  cat > "$workspace/ship.yaml" <<YAML
name: ship
inputs: {env: {default: prod}}
steps:
  - {id: ok, if: "inputs.env == 'prod'", gate: {prompt: "Ship it?", risk: irreversible$1}}
  - {id: ship, needs: ok, run: "touch shipped"}
YAML
  cue run ship.yaml --detach > /dev/null 2>&1 || { (cue run ship.yaml > /dev/null 2>&1 &) ; }
  until_true gate_waits
}

gate_waits() { cue gates 2> /dev/null | grep -q "g-1"; }

# Whether the guarded step ran, a moment later.
is_safe() {
  sleep 1
  [ ! -e "$workspace/shipped" ]
}

# A command that has to be refused; its last line is the refusal.
refused() {
  local said
  said=$(cue "$@" 2>&1) && { echo "$said"; echo "went through: $*"; return 1; }
  is_safe || { echo "the guarded step ran after: $*"; return 1; }
  tail -n 1 <<< "$said"
}

by_skip() { guarded ""; refused skip r-1 ok --reason "never mind"; }
by_done() { guarded ""; refused done r-1 ok --reason "never mind"; }

by_wrong_name() { guarded ""; refused skip r-1 ok --reason "never mind" --ask 0000-0000; }

by_the_console() {
  guarded ""
  sit_down 80 24
  until_true on_screen "ship" || return 1
  keys 2; sleep 1; keys S; sleep 1; keys "because"; sleep 1; keys r-1; sleep 1; keys Enter
  local said
  said=$(screen)
  is_safe || { echo "$said"; return 1; }
  echo "S on the gate closes nothing; it shows the ask"
}

on_screen() { screen | grep -q "$1"; }
keys() { tm send-keys -t walk "$1"; }

empty_form() {
  local name how=--ask
  guarded ", form: {ticket: {type: string}}"
  name=$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *\([^ ]*\).*/\1/p')
  cue approve --help | grep -q -- --ask || { how=--code; name=${name#*-}; }
  refused approve g-1 "$how" "$name"
}

# The answers of a form: no value that nobody gave, and none that was changed after its signature.
form_of_a_script() {
  guarded ", form: {ticket: {type: string, required: true, pattern: '^T-'}}"
  local name words
  name=$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *\([^ ]*\).*/\1/p')
  for words in "" "--leave ticket" "--set ticket=" "--set ticket=7" "--set color=red"; do
    # shellcheck disable=SC2086
    refused approve g-1 --ask "$name" $words || return 1
  done
}

form_after_the_signature() {
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  guarded ", form: {ticket: {type: string, required: true}}"
  local name
  name=$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *\([^ ]*\).*/\1/p')
  (cd "$workspace" && ssh-keygen -q -t ed25519 -N '' -f ann)
  cue approve g-1 --as ann --ask "$name" --set ticket=T-1 --statement answer > /dev/null 2>&1 || { echo "no statement"; return 1; }
  (cd "$workspace" && ssh-keygen -Y sign -q -n cuelight-decision -f ann answer && sed -i s/T-1/T-2/ answer.form) 2> /dev/null
  refused verify answer && refused approve g-1 --signed answer && refused approve g-1 --signed answer --set ticket=T-2
}

by_another_file() {
  guarded ""
  cue reject g-1 --reason no > /dev/null 2>&1
  printf 'name: ship\ninputs: {env: {default: prod}}\nsteps:\n  - {id: ship, run: "touch shipped"}\n' > "$workspace/ship.yaml"
  until_true rests
  refused retry r-1 --file ship.yaml
}

rests() { cue runs --json 2> /dev/null | grep -q rejected || cue show r-1 2> /dev/null | grep -q rejected; }

by_other_inputs() {
  guarded ""
  cue reject g-1 --reason no > /dev/null 2>&1
  until_true rests
  cue retry r-1 -i env=dev > /dev/null 2>&1
  is_safe || { echo "the guarded step ran"; return 1; }
  echo "the gate asks again, whatever its if says: $(cue gates 2> /dev/null | grep -c "g-2") open"
}

attack "skip of an irreversible gate with a reason alone" by_skip
attack "done of an irreversible gate with a reason alone" by_done
attack "skip that names another ask" by_wrong_name
attack "S on a gate in the graph, a reason and the id of the run" by_the_console
attack "a form with an empty field that nobody was asked for" empty_form
attack "a form that a script does not fill in, or wrongly" form_of_a_script
attack "values that change after somebody has signed them" form_after_the_signature
attack "retry --file without the gate" by_another_file
attack "retry with inputs that turn the gate's if false" by_other_inputs

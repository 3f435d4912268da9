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
  local name
  guarded ", form: {ticket: {type: string}}"
  name=$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *\([^ ]*\).*/\1/p')
  refused approve g-1 --ask "$name"
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

# A gate that stands in a workflow which another one calls, or in a matrix, is left out by what stands around it. `ship` runs only
# when somebody says yes, and nobody does.
review_beside() { printf 'name: review\nsteps:\n  - {id: ok, gate: {prompt: "Ship it?", risk: irreversible}}\n' > "$workspace/review.yaml"; }
# The frame around the gate, and what ships: KEYS.
framed() {
  printf 'name: w\ninputs: {env: {default: prod}, list: {type: array, default: [a]}}\nsteps:\n  - {id: r, %s}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' \
    "$1" > "$workspace/w.yaml"
}
has_ended() { cue runs --json | grep -qE '"(rejected|failed|cancelled|completed|partially-completed)"'; }
asks_twice() { cue gates | grep -qE 'g-[2-9]'; }
is_cancelled() { cue runs --json | grep -q cancelled; }
is_running() { cue show r-1 | grep -q running; }
# The last run has ended, or asks: COMMAND-OF-CUELIGHT.
then_ends() {
  cue "$@" > "$workspace/said" 2>&1
  sleep 1
  if [ -e "$workspace/ran" ]; then echo "it shipped"; cue runs; return 1; fi
  grep -o 'the correction .*' "$workspace/said" || { asks_twice && echo "it asks again"; } || cue error --all --run r-2 | grep -oE '(the gate|a gate) .*' | head -1 | grep . || cue runs | grep -oE 'r-[12] .*(failed|partially-completed)' || { cat "$workspace/said"; cue runs; cue error; return 1; }
}
# Starts the run, and refuses at its gate.
refused_once() {
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue reject g-1 --reason no > /dev/null
  until_true has_ended || { cue runs; return 1; }
}
is_asked() { cue gates | grep -q g-1; }
frame_left_out_by_inputs() { fresh; review_beside; framed "workflow: review.yaml, if: \"inputs.env == 'prod'\""; refused_once && then_ends retry r-1 -i env=dev; }
frame_left_out_by_a_file() { fresh; review_beside; framed "workflow: review.yaml"; refused_once && framed "workflow: review.yaml, if: 1 == 2" && then_ends retry r-1 --file w.yaml; }
frame_given_a_fallback() { fresh; review_beside; framed "workflow: review.yaml"; refused_once && framed "workflow: review.yaml, timeout: 1s, fallback: [{run: 'true'}]" && then_ends retry r-1 --file w.yaml; }
frame_left_out_by_a_fork() { fresh; review_beside; framed "workflow: review.yaml, if: \"inputs.env == 'prod'\""; refused_once && then_ends fork r-1 --at r -i env=dev; }
matrix_without_copies() {
  fresh
  framed 'matrix: {x: "${{ inputs.list }}"}, gate: {prompt: "Ship ${{ matrix.x }}?", risk: irreversible}'
  refused_once && then_ends retry r-1 -i 'list=[]'
}
gate_left_out_by_a_fork() { fresh; framed "if: \"inputs.env != 'dev'\", gate: {prompt: go?, risk: irreversible}"; refused_once && then_ends fork r-1 --at r -i env=dev; }
gate_left_out_in_two_steps() {
  fresh
  printf 'name: w\ninputs: {env: {default: prod}}\nsteps:\n  - {id: wait, run: sleep 2}\n  - {id: r, needs: wait, if: "inputs.env != %s", gate: {prompt: go?, risk: irreversible}}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' "'dev'" > "$workspace/w.yaml"
  refused_once || return 1
  cue retry r-1 --from all -i env=prod2 > /dev/null 2>&1
  cue cancel r-2 --reason no > /dev/null 2>&1
  until_true is_cancelled || { cue runs; return 1; }
  cue retry r-2 -i env=dev > "$workspace/said" 2>&1
  until_true asks_twice && echo "it asks again"
}
# The author's own frame: nobody answers in time.
frame_that_times_out() {
  fresh
  review_beside
  framed "workflow: review.yaml, timeout: 1s, $1"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1
  if [ -e "$workspace/ran" ]; then echo "it shipped"; return 1; fi
  grep -o 'step.failed r took longer.*' "$workspace/engine.log" || { cat "$workspace/engine.log"; return 1; }
}
# A step before the gate is skipped by hand, and the one between passes that on: GATE-KEYS.
skipped_before() {
  fresh
  review_beside
  printf 'name: w\nsteps:\n  - {id: pre, run: sleep 30}\n  - {id: mid, needs: pre, run: %s, env: {E: "${{ steps.pre.status }}"}, outputs: {st: string}}\n  - {id: r, needs: mid, if: "steps.mid.outputs.st == %s", %s}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' \
    "'echo \"st=\$E\" >> \"\$CUELIGHT_OUTPUT\"'" "'completed'" "$1" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_running || { cat "$workspace/engine.log"; return 1; }
  then_ends skip r-1 pre --reason x
}
engine_of() { tr -dc 0-9 < "$workspace/.cuelight/lock"; }
gate_behind_a_skip() {
  skipped_before 'gate: {prompt: go?}' > /dev/null 2>&1
  [ ! -e "$workspace/ran" ] && until_true is_asked || { cue runs; return 1; }
  kill "$(engine_of)" 2> /dev/null
  wait
  echo "it asks"
}
times_out_and_skips() { frame_that_times_out "on-error: skip"; }
times_out_with_a_fallback() { frame_that_times_out "fallback: [{run: 'true'}]"; }
frame_behind_a_skip() { skipped_before "workflow: review.yaml, on-error: skip"; }
# A rejection lets nothing behind its frame start.
rejected_with_continue() {
  fresh
  printf 'name: review\nsteps:\n  - {id: ok, gate: {prompt: go?, risk: irreversible, on-reject: continue}}\n' > "$workspace/review.yaml"
  framed "$1"
  refused_once || return 1
  if [ -e "$workspace/ran" ]; then echo "it shipped"; return 1; fi
  cue runs | grep -oE 'r-1 .*(rejected|failed|partially-completed)'
}
frame_of_a_rejected_gate() { rejected_with_continue "workflow: review.yaml"; }
matrix_of_a_rejected_gate() { rejected_with_continue 'matrix: {x: [a]}, gate: {prompt: go?, risk: irreversible, on-reject: continue}'; }
frame_of_a_gate_that_never_asked() {
  fresh
  printf 'name: review\nsteps:\n  - {id: a, run: "false", on-error: continue}\n  - {id: ok, needs: a, gate: {prompt: go?, risk: irreversible}}\n' > "$workspace/review.yaml"
  framed "workflow: review.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1
  if [ -e "$workspace/ran" ]; then echo "it shipped"; return 1; fi
  cue error | grep -o 'nobody answered its gate r/ok'
}
# An uncorrected retry stands between the rejection and the other inputs.
gate_forgotten_between_retries() {
  fresh
  printf 'name: w\ninputs: {env: {default: prod}}\nsteps:\n  - {id: wait, run: sleep 2}\n  - {id: r, needs: wait, if: "inputs.env != %s", gate: {prompt: go?, risk: irreversible}}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' "'dev'" > "$workspace/w.yaml"
  refused_once || return 1
  cue retry r-1 --from all > /dev/null 2>&1
  cue cancel r-2 --reason no > /dev/null 2>&1
  until_true is_cancelled || { cue runs; return 1; }
  cue retry r-2 -i env=dev > "$workspace/said" 2>&1
  until_true asks_twice && echo "it asks again"
}
excluded_no_more() {
  fresh
  printf 'name: w\ninputs: {author: {default: %s}}\nsteps:\n  - {id: r, gate: {prompt: go?, forbid: ["${{ inputs.author }}"], undo-window: 0s}}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' "$(id -un)" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue cancel r-1 --reason no > /dev/null
  until_true has_ended || { cue runs; return 1; }
  cue retry r-1 -i author=somebody > /dev/null 2>&1
  until_true asks_twice || { cue runs; return 1; }
  cue approve g-2 > "$workspace/said" 2>&1
  if [ -e "$workspace/ran" ]; then echo "it shipped"; return 1; fi
  grep -o 'was excluded by the workflow.*\|asked for this run.*' "$workspace/said"
}
emit_out_from_behind() {
  fresh
  framed 'gate: {prompt: go?, risk: irreversible}'
  sed -i 's/run: echo shipped.*/emit: {event: go}}/' "$workspace/w.yaml"
  refused_once || return 1
  sed -i 's/needs: r, emit/emit/' "$workspace/w.yaml"
  cue retry r-1 --file w.yaml > "$workspace/said" 2>&1
  grep -o 'no longer waits for the gate.*' "$workspace/said"
}

attack "a gate in a called workflow, rejected with on-reject: continue, and a step that needs the workflow" frame_of_a_rejected_gate
attack "a gate in a matrix, rejected with on-reject: continue, and a step that needs the matrix" matrix_of_a_rejected_gate
attack "a gate in a called workflow that never asked, and a step that needs the workflow" frame_of_a_gate_that_never_asked
attack "a gate that asked before an uncorrected retry, left out by other inputs" gate_forgotten_between_retries
attack "an input that says who is excluded, changed in a retry" excluded_no_more
attack "a message behind a gate, let out by a corrected file" emit_out_from_behind
attack "a frame around a gate, left out by other inputs" frame_left_out_by_inputs
attack "a frame around a gate, left out by a corrected file" frame_left_out_by_a_file
attack "a frame around a gate, given a time-out and a fallback" frame_given_a_fallback
attack "a frame around a gate, left out by a fork" frame_left_out_by_a_fork
attack "a matrix of gates, left without copies" matrix_without_copies
attack "a gate, left out by a fork with other inputs" gate_left_out_by_a_fork
attack "a gate, left out by a correction of a correction" gate_left_out_in_two_steps
attack "a frame around a gate that times out, with on-error: skip" times_out_and_skips
attack "a frame around a gate that times out, with a fallback" times_out_with_a_fallback
attack "a step before a gate, skipped, and another one that passes it on" gate_behind_a_skip
attack "a step before a frame with a gate, skipped, with on-error: skip" frame_behind_a_skip

# A correction puts a step that runs anyway between the gate and what it guards: KEYS-OF-THE-STEP.
step_put_between() {
  fresh
  framed 'gate: {prompt: go?, risk: irreversible, on-reject: continue}'
  refused_once || return 1
  sed -i "s/  - {id: ship, needs: r,/  - {id: m, needs: r, if: '$1', run: 'true'}\n  - {id: ship, needs: m,/" "$workspace/w.yaml"
  then_ends retry r-1 --file w.yaml || return 1
  grep -o 'no longer waits for the gate r' "$workspace/said"
}
always_put_between() { step_put_between 'always()'; }
not_success_put_between() { step_put_between '!success()'; }
# A failing step before the gate makes a step run that answers failures.
failure_put_before() {
  fresh
  framed 'gate: {prompt: go?, risk: irreversible, on-reject: continue}'
  sed -i 's/needs: r, run/needs: r, if: "success() || failure()", run/' "$workspace/w.yaml"
  refused_once || return 1
  sed -i 's/  - {id: r, /  - {id: f, run: "false", on-error: continue}\n  - {id: r, needs: f, /' "$workspace/w.yaml"
  then_ends retry r-1 --file w.yaml || return 1
  grep -o 'runs also after a failure' "$workspace/said"
}
# What was approved may still be undone, with another command, environment or input: RULES KEYS SED-COMMAND RETRY-ARGUMENTS.
has_failed() { cue runs | grep -qE 'r-1 .*failed'; }
undo_put_under_an_approval() {
  fresh
  printf 'name: w\non-failure: compensate\ninputs: {p: {default: good}}\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - {id: s, needs: g, run: "true", undo: %s}\n  - {id: t, needs: s0, run: "false"}\n  - {id: s0, run: sleep 2}\n' "$1" > "$workspace/w.yaml"
  sed -i 's/^on-failure.*$/on-failure: stop/' "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue approve g-1 > /dev/null
  until_true has_failed || { cue runs; return 1; }
  sed -i "s/^on-failure.*$/on-failure: compensate/; $2" "$workspace/w.yaml"
  shift 2
  cue retry r-1 "$@" > "$workspace/said" 2>&1
  sleep 2
  if grep -q evil "$workspace/ran" 2> /dev/null; then echo "it ran: $(cat "$workspace/ran")"; return 1; fi
  grep -o 's was done behind the gate g.*' "$workspace/said" || { cat "$workspace/said"; return 1; }
}
undo_swapped() { undo_put_under_an_approval 'echo good >> ran' 's/echo good/echo evil/' --file w.yaml; }
undo_with_another_environment() { undo_put_under_an_approval 'echo \$P >> ran' 's/^inputs/env: {P: evil}\ninputs/' --file w.yaml; }
undo_with_another_input() { undo_put_under_an_approval '"echo ${{ inputs.p }} >> ran"' '' --file w.yaml -i p=evil; }
# The step before the gate says otherwise the second time: RETRY-ARGUMENTS.
gate_that_asked_before() {
  fresh
  printf 'name: w\nsteps:\n  - {id: a, run: %s, outputs: {risky: string}}\n  - {id: r, needs: a, if: "steps.a.outputs.risky == %s", gate: {prompt: go?, risk: irreversible, send-back: a}}\n  - {id: ship, needs: r, run: echo shipped >> ran}\n' \
    "'echo \"risky=\$(cat risky)\" >> \"\$CUELIGHT_OUTPUT\"'" "'yes'" > "$workspace/w.yaml"
  echo yes > "$workspace/risky"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  echo no > "$workspace/risky"
}
gate_left_out_by_a_retry() {
  gate_that_asked_before || return 1
  cue reject g-1 --reason no > /dev/null
  until_true has_ended || { cue runs; return 1; }
  then_ends retry r-1 --from all
}
gate_left_out_by_sending_back() {
  gate_that_asked_before || return 1
  then_ends gate send-back g-1 --reason again
  local result=$?
  kill "$(engine_of)" 2> /dev/null
  wait
  return $result
}
# Nobody could answer while the engine was stopped.
approved_by_a_stopped_clock() {
  fresh
  framed 'gate: {prompt: go?, timeout: 8s, on-timeout: approve}'
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  local engine
  engine=$(engine_of)
  kill -STOP "$engine"
  sleep 9
  kill -CONT "$engine"
  sleep 2
  if [ -e "$workspace/ran" ]; then echo "it shipped"; return 1; fi
  cue gates --show g-1 | grep -o 'nobody was looking; its timer starts again'
  local result=$?
  kill "$engine" 2> /dev/null
  wait
  return $result
}

attack "a step with always() put between a gate and what it guards" always_put_between
attack "a step with !success() put between a gate and what it guards" not_success_put_between
attack "a failing step put before a gate, and a step that runs after a failure" failure_put_before
attack "an undo swapped under an old approval" undo_swapped
attack "an undo under an old approval, with another environment" undo_with_another_environment
attack "an undo under an old approval, with another input" undo_with_another_input
attack "a gate that asked, left out by a retry that corrects nothing" gate_left_out_by_a_retry
attack "a gate that asked, left out by sending it back" gate_left_out_by_sending_back
attack "a gate that approves itself while its engine is stopped" approved_by_a_stopped_clock

# shellcheck shell=bash
# Once more: a retry, a correction, an undo or a send-back does what was refused before, and people answer where they are
# excluded: by another name, in another's name, or in a run that another asks for.

# A workspace with this workflow: STEPS. Its engine ends with the attack.
flow() {
  fresh again
  steps "$1"
  trap leave EXIT
  cue serve --detach > /dev/null 2>&1
}
steps() { printf 'name: w\n%s\n' "$1" > "$workspace/w.yaml"; }
# Who waits for a run would begin another engine for it.
leave() {
  local run
  for run in r-1 r-2 r-3; do cue cancel "$run" --reason over; done
  wait
  kill "$(tr -dc 0-9 < "$workspace/.cuelight/lock")"
} > /dev/null 2>&1

# Starts it, and waits until it asks.
begins() {
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 < /dev/null &
  until_true asks g-1 || { cat "$workspace/engine.log"; return 1; }
}
asks() { cue gates | grep -q "^$1 "; }
rests() { cue show "$1" | head -n 1 | grep -qE ' (completed|failed|rejected|cancelled|undone) '; }
# Ends the first run with an answer at its first gate: COMMAND…
ends_with() { begins && cue "$@" > /dev/null && until_true rests r-1; }

# What the steps have left in the file `ran` is this, in one line: WORDS.
did() {
  local ran
  ran=$(xargs 2> /dev/null < "$workspace/ran")
  [ "$ran" = "$1" ] || { echo "it did: $ran"; return 1; }
}
# A command is refused in these words: WORDS COMMAND…
refused() {
  local words=$1 said
  shift
  if said=$(cue "$@" 2>&1 < /dev/null); then echo "went through: $*: $said"; return 1; fi
  grep -o "$words.*" <<< "$said" || { echo "$*: $said"; return 1; }
}
# A gate asks once more, and no more than this was done: GATE WORDS.
asks_again() { until_true asks "$1" && did "$2" && echo "it asks again at $1" || { cue runs; return 1; }; }
# Another workflow whose step calls the program: COMMAND…
step_calls() { printf 'name: other\nsteps:\n  - {id: e, run: "%s || true"}\n' "$program $*" > "$workspace/other.yaml"; }
by_a_step() { step_calls "$@"; cue run other.yaml --headless 2>&1 < /dev/null; }

guarded='steps:
  - {id: a, run: "true", undo: echo undone >> ran}
  - {id: g, needs: a, gate: {prompt: go?, undo-window: 0s, on-reject: stop}}
  - {id: ship, needs: g, run: echo shipped >> ran, undo: echo back >> ran}'

paid_twice() {
  flow 'steps:
  - {id: g, gate: {prompt: pay?, undo-window: 0s}}
  - {id: pay, needs: g, run: echo paid >> ran; exit 1, effect: once}'
  ends_with approve g-1 && cue retry r-1 > /dev/null && asks_again g-2 paid
}
attack "one approval pays twice, by a retry" paid_twice

approved_and_cancelled() {
  flow "$guarded"; begins || return 1
  cue run pause r-1 > /dev/null && cue approve g-1 > /dev/null && cue cancel r-1 --reason no > /dev/null && until_true rests r-1 || return 1
  by_a_step retry r-1 > /dev/null && asks_again g-2 ""
}
attack "a run that was approved and then cancelled, retried by a step" approved_and_cancelled

approved_and_undone() {
  flow "$guarded"; ends_with approve g-1 || return 1
  cue run undo r-1 --reason wrong > /dev/null && until_true did "shipped back undone" || return 1
  by_a_step retry r-1 > /dev/null && asks_again g-2 "shipped back undone"
}
attack "a run that was approved and then undone, retried by a step" approved_and_undone

undone_by_a_step() {
  flow "$guarded"; begins || return 1
  by_a_step cancel r-1 --undo --reason no | grep -o 'takes this program for a step, and a step decides nothing' && asks g-1 && did ""
}
attack "a step cancels a run and has it undone" undone_by_a_step

schedule_released() {
  flow "$guarded"; mkdir -p "$workspace/.cuelight/workflows"
  printf 'name: nightly\non: {schedule: [{cron: "0 3 * * *"}]}\nsteps:\n  - {id: a, run: "true"}\n' > "$workspace/.cuelight/workflows/nightly.yaml"
  cue schedule hold nightly --reason freeze > /dev/null || return 1
  by_a_step schedule release nightly | grep -o 'takes this program for a step, and a step decides nothing' && refused "holds it already" schedule hold nightly --reason more
}
attack "a step releases a schedule that a person holds" schedule_released

sent_behind_a_gate() {
  flow 'steps:
  - {id: g, gate: {prompt: pay?, undo-window: 0s}}
  - {id: pay, needs: g, run: echo paid >> ran, effect: once}
  - {id: h, needs: pay, gate: {prompt: done?, send-back: pay}}'
  begins && cue approve g-1 > /dev/null && until_true asks g-2 || return 1
  refused "pay was approved at" gate send-back g-2 --reason again && did paid
}
attack "a call that another gate let go, sent back" sent_behind_a_gate

edited_before_its_time() {
  flow 'steps:
  - {id: g, gate: {prompt: go?, timeout: 1h, on-timeout: approve, form: {image: {type: string, default: good}}}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  begins || return 1
  local before after
  before=$(cue gates --json | grep -o '"expires_at": *"[^"]*"')
  cue gate edit g-1 -i image=evil --reason x > /dev/null || return 1
  after=$(cue gates --json | grep -o '"expires_at": *"[^"]*"')
  [[ -n "$before" && "$after" > "$before" ]] && did "" && echo "its full time begins anew: $after"
}
attack "an edit right before the time at which a gate approves" edited_before_its_time

excluded_by_nothing() {
  # shellcheck disable=SC2016
  flow 'steps:
  - {id: g, gate: {prompt: go?, forbid: ["${{ state.global.author }}"]}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  refused "its .forbid. excludes nobody" run w.yaml --headless && did ""
}
attack "a value that says who is excluded, and is not there" excluded_by_nothing

# A workspace with this workflow and four people, each with a key and a token, in a file of root: GROUPS-OF-ME OF-ANN OF-BOB OF-CARL STEPS.
# This user is `me`. Its engine answers over HTTP at $at.
people() {
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" -eq 0 ] || absent "people.toml of root (run as root)"
  fresh again
  steps "$5"
  mkdir "$workspace/.cuelight"
  local name uid=$'uid = 0\n'
  for name in me ann bob carl; do
    [ -e "$scratch/$name.key" ] || ssh-keygen -q -t ed25519 -N '' -C c -f "$scratch/$name.key"
    printf "[[person]]\nname = '%s'\n%sgroups = ['%s']\nkeys = ['%s']\ntoken = '%s@x'\n[[token-key]]\nkid = '%s'\nkey = '%s'\npeople = ['%s']\n" \
      "$name" "$uid" "$1" "$(cat "$scratch/$name.key.pub")" "$name" "$name" "$(cat "$scratch/$name.key.pub")" "$name"
    uid=""
    shift
  done > "$workspace/.cuelight/people.toml"
  chmod 644 "$workspace/.cuelight/people.toml"
  trap leave EXIT
  cue serve --detach --listen 127.0.0.1:0 > /dev/null 2>&1
  until_true grep -q 'answering at' "$workspace/.cuelight/serve.log" || { cat "$workspace/.cuelight/serve.log"; return 1; }
  at=$(grep -o '127.0.0.1:[0-9]*' "$workspace/.cuelight/serve.log" | head -n 1)
}
# As another person, with their key: NAME COMMAND…
as() { local name=$1; shift; cue "$@" --as "$name" --key "$scratch/$name.key"; }
refused_to() { local name=$1 words=$2; shift 2; refused "$words" "$@" --as "$name" --key "$scratch/$name.key"; }
# Over HTTP, by a token: TOKEN PATH BODY.
posts() { curl -sS -m 20 -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -d "$3" "http://$at/api/$2"; }
# Bob asks for a run: FILE.
bob_asks_for() { posts "$(cue token --person bob@x --key "$scratch/bob.key" --kid bob --permissions spawn_agents,manage_agents 2> /dev/null)" runs "{\"workflow\": \"$1\"}" > "$workspace/said"; }

undone_by_an_agent() {
  command -v curl > /dev/null || absent curl
  people sre sre sre sre "$guarded"; begins || return 1
  posts "$(cue token --agent x --type qa --permissions manage_agents 2> /dev/null)" runs/r-1/cancel '{"reason": "no", "undo": true}' | grep -o 'the token of an agent decides nothing' && asks g-1 && did ""
}
attack "an agent cancels a run and has it undone" undone_by_an_agent

excluded_by_a_value() {
  # shellcheck disable=SC2016
  people ops sre sre sre 'steps:
  - {id: g, gate: {prompt: go?, require: [sre], forbid: ["${{ state.global.author }}"], evidence: [notes], undo-window: 0s}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  touch "$workspace/notes"; cue state set author bob > /dev/null && begins || return 1
  cue state set author nobody > /dev/null && echo more > "$workspace/notes" && as carl approve g-1 > /dev/null
  until_true eval 'cue gates --show g-1 | grep "bob was excluded"' || { cue gates --show g-1; return 1; }
  refused_to bob "bob was excluded by the workflow when this gate asked before" approve g-1 && did ""
}
attack "a value that excluded somebody, changed before the gate asks again" excluded_by_a_value

sent_back_to_the_author() {
  # shellcheck disable=SC2016
  people ops sre dev sre 'steps:
  - {id: b, run: "true"}
  - {id: g, needs: b, gate: {prompt: go?, require: [sre], forbid: ["${{ state.global.author }}"], escalate: {after: 1h, to: "${{ state.global.oncall }}"}, send-back: b, undo-window: 0s}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  cue state set author bob > /dev/null && cue state set oncall ann > /dev/null && begins || return 1
  cue state set author nobody > /dev/null && cue state set oncall bob > /dev/null && as carl gate send-back g-1 --reason again > /dev/null && until_true asks g-2 || return 1
  refused_to bob "bob was excluded by the workflow when this gate asked before" approve g-2 && cue gates --show g-2 | grep "ann may answer" && did ""
}
attack "values that named the people of a gate, changed before it is sent back" sent_back_to_the_author

excluded_with_a_blank() {
  # shellcheck disable=SC2016
  people ops sre sre sre 'inputs: {author: {default: "ann "}}
steps:
  - {id: g, gate: {prompt: go?, require: [sre], forbid: ["${{ inputs.author }}"], undo-window: 0s}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  begins && refused_to ann "ann is excluded by the workflow" approve g-1 && did ""
}
attack "a blank behind the name of who is excluded" excluded_with_a_blank

# Who has answered at the first gate may not answer at the second: COUNT.
# shellcheck disable=SC2016
two_gates() {
  people "$1" sre sre dev 'steps:
  - {id: g, gate: {prompt: first?, require: [{group: sre, count: '"$2"'}], undo-window: 0s}}
  - {id: h, needs: g, gate: {prompt: second?, require: [sre], forbid: ["${{ steps.g.outputs.approvers }}"], undo-window: 0s}}
  - {id: ship, needs: h, run: echo shipped >> ran}'
  begins
}
approvers_in_a_list() {
  two_gates ops 2 && as ann approve g-1 > /dev/null && as bob approve g-1 > /dev/null && until_true asks g-2 || return 1
  refused_to ann "ann is excluded by the workflow" approve g-2 && refused_to bob "bob is excluded by the workflow" approve g-2 && did ""
}
approver_by_delegation() {
  two_gates sre 1 && cue gate delegate g-1 --to carl > /dev/null && as carl approve g-1 > /dev/null && until_true asks g-2 || return 1
  refused "me asked for this run" approve g-2 && did ""
}
attack "a list of approvers that excludes nobody" approvers_in_a_list
attack "an approver who has another one answer first" approver_by_delegation

delegated_to_the_excluded() {
  people sre sre sre dev 'steps:
  - {id: g, gate: {prompt: go?, require: [sre], forbid: [dev], undo-window: 0s}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
  begins && refused "carl is excluded at this gate, so their answer does not count" gate delegate g-1 --to carl &&
    refused_to carl "carl is excluded by the workflow\|dev is excluded by the workflow" approve g-1 && did ""
}
attack "an answer is delegated to who is excluded" delegated_to_the_excluded

# A run of bob's, at whose gate carl may answer for me: COUNT-OF-ANSWERS.
carl_for_me() {
  people sre sre sre dev "steps:
  - {id: g, gate: {prompt: go?, require: [{group: sre, count: $1}], undo-window: 1h}}
  - {id: ship, needs: g, run: echo shipped >> ran}"
  bob_asks_for w.yaml && until_true asks g-1 && cue gate delegate g-1 --to carl > /dev/null
}
taken_back_and_given_twice() {
  carl_for_me 2 && as carl approve g-1 > /dev/null || return 1
  refused "carl has answered with it already" gate withdraw g-1 && refused "carl has answered for me" approve g-1 &&
    refused "this answer is given already" gate delegate g-1 --to ann && did ""
}
reviewed_by_the_delegator() {
  carl_for_me 1 && as carl run skip r-1 g --reason "over for me" --ask "$(cue gates --show g-1 | sed -n 's/^END OF THE ASK *//p')" > /dev/null || return 1
  refused "carl gave this approval for me" gate review g-1 --reason "looks fine to me"
}
attack "a delegated answer, taken back after it was given and given once more" taken_back_and_given_twice
attack "an override by one's own delegate, reviewed by oneself" reviewed_by_the_delegator

# Bob may not approve what he asks for.
not_by_bob() {
  people sre sre sre sre 'steps:
  - {id: g, gate: {prompt: go?, require: [sre], forbid: [run.actor], undo-window: 0s}}
  - {id: ship, needs: g, run: echo shipped >> ran}'
}
bob_asked() { not_by_bob && bob_asks_for w.yaml && until_true asks g-1 && cue cancel r-1 --reason no > /dev/null && until_true rests r-1; }
bobs_step() { step_calls "$@" && bob_asks_for other.yaml; }
bob_is_refused() { until_true asks "$1" && refused_to bob "bob asked for r-1, which stands behind this run" approve "$1" && did ""; }
retried_by_another() { bob_asked && cue retry r-1 > /dev/null && bob_is_refused g-2; }
retried_by_his_step() { bob_asked && bobs_step retry r-1 && bob_is_refused g-2; }
forked_by_his_step() { bob_asked && bobs_step run fork r-1 --at g && bob_is_refused g-2; }
started_by_his_step() { not_by_bob && bobs_step run w.yaml --headless && bob_is_refused g-1; }
attack "a requester whose run another person retries" retried_by_another
attack "a requester whose run a step of his other run retries" retried_by_his_step
attack "a requester whose run a step of his other run forks" forked_by_his_step
attack "a requester whose step starts the run" started_by_his_step

# A correction after somebody has said no.
emptied="s/run: echo shipped.*/run: 'true'}/"
corrected() { sed -i "$1" "$workspace/w.yaml"; }
refuses_correction() { refused "$1" retry "$2" --file w.yaml && did ""; }

done_elsewhere() {
  local how
  flow "$guarded"
  printf 'name: part\nsteps:\n  - {id: x, run: echo shipped >> ran}\n' > "$workspace/part.yaml"
  ends_with reject g-1 --reason no || return 1
  for how in '$a\  - {id: b, run: echo shipped >> ran}' '$a\  - {id: b, workflow: part.yaml}' '$a\  - {id: b, run: "true", undo: echo shipped >> ran}' \
    '/id: g,/i\  - {id: b, needs: a, run: echo shipped >> ran}' 's/echo undone/echo shipped/' '$c\  - {id: b, run: echo shipped >> ran}'; do
    steps "$guarded"
    corrected "$emptied; $how"
    refuses_correction "ship stood behind the gate g and was" r-1 || { cat "$workspace/w.yaml"; return 1; }
  done
}
attack "the work of a step behind a gate, done elsewhere by a correction" done_elsewhere

made_easier() {
  local how
  flow "$guarded"; ends_with reject g-1 --reason no || return 1
  for how in 's/id: g,/id: h,/; s/needs: g,/needs: h,/' 's/gate: {.*/run: "true"}/' 's/needs: a, gate/needs: a, if: "1 == 2", gate/' \
    's/on-reject: stop/on-reject: continue/' 's/on-reject/auto: "1 == 1", on-reject/'; do
    steps "$guarded"
    corrected "$how"
    refuses_correction "the correction .* the gate g" r-1 || { cat "$workspace/w.yaml"; return 1; }
  done
}
attack "a gate that is renamed, replaced, skipped or made to answer itself by a correction" made_easier

# Guarded work done elsewhere in two corrections: the first one is let go, and its gate asks: FIRST SECOND WORDS.
in_two_corrections() {
  flow "$guarded"; ends_with reject g-1 --reason no || return 1
  corrected "$1"; cue retry r-1 --file w.yaml > /dev/null && asks_again g-2 "" && cue cancel r-2 --reason no > /dev/null && until_true rests r-2 || return 1
  corrected "$2"; refuses_correction "$3" r-2
}
taken_out_and_put_back() { in_two_corrections '/id: ship/d' '$a\  - {id: ship, needs: a, run: echo shipped >> ran}' "ship stood behind the gate g and was removed"; }
emptied_and_done_elsewhere() { in_two_corrections "$emptied" '$a\  - {id: b, run: echo shipped >> ran}' "ship stood behind the gate g and was written otherwise after it asked"; }
attack "a step behind a gate, taken out by one correction and put back by another" taken_out_and_put_back
attack "a step behind a gate, emptied by one correction and done elsewhere by another" emptied_and_done_elsewhere

# What asks people although no step is a gate, taken away after a no: STEPS SED-COMMAND WORDS.
ask_taken_away() {
  flow "$1"; mkdir -p "$workspace/.cuelight/tools"
  local name
  for name in one two; do
    printf 'name: %s\nversion: 1.0.0\ndescription: d\ncommand: [touch, ran]\neffect: idempotent\nrisk: reversible\ninput: {type: object, properties: {}}\n' "$name" > "$workspace/.cuelight/tools/$name.yaml"
  done
  ends_with cancel r-1 --reason no || return 1
  corrected "$2"; refuses_correction "the correction loosens the gate of $3" r-1
}
unsure_result() {
  ask_taken_away 'steps:
  - id: a
    run: echo "score=0.1" >> "$CUELIGHT_OUTPUT"
    outputs: {score: number}
    confidence: {from: score, min: 0.7, below: gate}
  - {id: ship, needs: a, run: echo shipped >> ran}' '/confidence/d' 'a (`confidence`)'
}
chosen_tool() {
  ask_taken_away 'steps:
  - id: a
    uses: {any: [one@1, two@1], route: manual}' 's/uses: .*/uses: one@1/' 'a (`route`)'
}
spent_budget() {
  ask_taken_away 'budget: {calls: 0, on-exceed: gate}
steps:
  - {id: a, run: echo shipped >> ran}' 's/on-exceed: gate/on-exceed: warn/' 'the run (`budget`)'
}
# A model that asks for a tool.
talk='steps:
  - id: mend
    llm: {model: stand-in, prompt: "Mend it.\nstand-in calls file_write {\"path\": \"ran\", \"text\": \"evil\"}", tools: [file.write], rounds: 4, gates: {calls: all, forbid: [run.actor], risk: irreversible, reason: required}}'
talk_replaced() { ask_taken_away "$talk" 's/llm: .*/run: echo shipped >> ran/' 'mend (`gates`)'; }
talk_loosened() { ask_taken_away "$talk" 's/forbid: .*required/risk: reversible/' 'mend (`forbid`, `risk`, `reason`)'; }
attack "a result that is unsure, taken without a question by a correction" unsure_result
attack "a tool that people choose, chosen by a correction" chosen_tool
attack "a budget that asks, raised by a correction" spent_budget
attack "a model whose calls ask, replaced by a script" talk_replaced
attack "a model whose calls ask, held less strictly by a correction" talk_loosened

# A step behind a gate was approved and stays done, and then its undo is another one: ON-REJECT UNDO LAST-COMMAND [RULES].
# shellcheck disable=SC2016
kept() {
  printf 'steps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s, on-reject: %s%s}}\n  - {id: ship, needs: g, run: "%s", undo: %s}\n  - {id: z, needs: ship, run: "%s"}' \
    "$1" "${4:-}" 'echo shipped >> ${CUELIGHT_WORKSPACE:-.}/ran' "$2" "$3"
}
undo_after_a_no() {
  flow "$(kept stop 'echo back >> ran' 'exit 1')"; ends_with approve g-1 || return 1
  steps "$(kept stop 'echo back >> ran' 'exit 2')"; cue retry r-1 --file w.yaml > /dev/null && asks_again g-2 shipped && cue reject g-2 --reason no > /dev/null && until_true rests r-2 || return 1
  steps "$(kept compensate 'echo evil >> ran' 'exit 2')"; refused "ship was done behind the gate g, and its undo is written otherwise now" retry r-2 --file w.yaml && did shipped
}
attack "an undo that was approved, rewritten after a later no" undo_after_a_no

# The file of the undo is swapped. It waits for a person: RULES RUN COMMAND…
is_stuck() { cue error --run "$1" | grep -o 'could not be undone.*'; }
back() { printf '#!/bin/sh\necho %s >> "${CUELIGHT_WORKSPACE:-.}/ran"\n' "$1" > "$workspace/back.sh"; }
swapped_undo() {
  local run=$2
  flow "$(kept compensate 'bash back.sh' 'exit 1' "$1")"; back good; ends_with approve g-1 && did shipped || return 1
  back evil
  shift 2
  "$@" > "$workspace/said" && until_true is_stuck "$run" || { cat "$workspace/said"; cue show "$run"; cue error; return 1; }
  is_stuck "$run" && did shipped
}
corrected_and_refused() { corrected 's/exit 1/exit 2/'; cue retry r-1 --file w.yaml && asks_again g-2 shipped && cue reject g-2 --reason no; }
retried_and_refused() { cue retry r-1 && asks_again g-2 shipped && cue reject g-2 --reason no; }
file_of_an_undo() { swapped_undo "" r-2 corrected_and_refused; }
file_of_an_undo_retried() { swapped_undo "" r-2 retried_and_refused; }
captured_undo() { swapped_undo ", consent: snapshot" r-2 retried_and_refused; }
captured_undo_later() { swapped_undo ", consent: snapshot" r-1 cue run undo r-1 --reason no; }
attack "the file of an approved undo, swapped before a correction is refused" file_of_an_undo
attack "the file of an approved undo, swapped before a retry is refused" file_of_an_undo_retried
attack "the captured file of an undo, swapped before a retry is refused" captured_undo
attack "the captured file of an undo, swapped before its run is undone" captured_undo_later

# A step about which people were asked is left out, or what needs it is put elsewhere: RULE.
unsure() {
  printf 'inputs: {go: {type: string, default: "yes"}}\nsteps:\n  - {id: a, %srun: "echo score=0.1 >> $CUELIGHT_OUTPUT", outputs: {score: number}, effect: idempotent, confidence: {from: score, min: 0.7, below: gate}}\n  - {id: ship, needs: a, if: "!failure()", run: echo shipped >> ran}' "${1:-}"
}
left_out_by_correction() {
  flow "$(unsure)"; ends_with reject g-1 --reason no || return 1
  steps "$(unsure 'if: "false", ')"; refused 'loosens the gate of a (`if`)' retry r-1 --file w.yaml && did ""
}
left_out_by_input() {
  flow "$(unsure "if: inputs.go == 'yes', ")"; ends_with reject g-1 --reason no || return 1
  cue retry r-1 -i go=no > /dev/null && until_true rests r-2 || return 1
  cue error --run r-2 | grep -o "has asked before.*" && did ""
}
attack "a step that people refused the result of, left out by a correction" left_out_by_correction
attack "a step that people refused the result of, left out by another input" left_out_by_input

# A cached result of another call, under the same literal key.
cached() { # ID RULES
  printf 'inputs: {v: {type: string, default: good}}\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s%s}}\n  - {id: %s, needs: g, run: "echo v=${{ inputs.v }} >> $CUELIGHT_OUTPUT", effect: pure, cache: {key: k, ttl: 1d}, outputs: {v: string}}' "$2" "$1"
}
cached_of_another_call() {
  flow "$(cached calc '')
  - {id: ship, needs: calc, run: \"echo \${{ steps.calc.outputs.v }} >> ran\"}"
  { printf 'name: other\n'; cached any ', auto: "true"'; echo; } > "$workspace/other.yaml"
  cue run other.yaml --headless -i v=evil > "$workspace/said" 2>&1 < /dev/null
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 < /dev/null &
  until_true asks g-2 && cue approve g-2 > /dev/null && until_true rests r-2 && did good && echo "the call was made: $(cat "$workspace/ran")"
}
attack "a cached result of another call, for the approved one" cached_of_another_call

# Files of Dagu that would run something nobody agreed to, once they are imported: each key is carried, told as lost, or refused.

# Imports w.yaml of the workspace and runs it for 4 s at most. What the steps did is seen by the files they leave.
imported_run() { # INPUT=VALUE…
  local inputs=() input
  for input in "$@"; do inputs+=(-i "$input"); done
  cd "$workspace" || return 1
  if ! "$program" import dagu w.yaml > out.yaml 2> told; then return 0; fi
  timeout 4 "$program" run out.yaml --headless "${inputs[@]}" > ran 2>&1 < /dev/null
  return 0
}

# The step that must not have run leaves `done`; says what stood in its way.
not_done() { # WORDS THAT THE IMPORT SAYS, OR THE FILE HOLDS
  if [ -e "$workspace/done" ]; then echo "it ran"; return 1; fi
  local why
  why=$(grep -hm 1 -e "$1" "$workspace/out.yaml" "$workspace/told" "$workspace/ran" 2> /dev/null)
  if [ -n "$why" ]; then head -n 1 <<< "$why"; return 0; fi
  echo "nothing says why it did not run"
  return 1
}

dagu_approval() {
  fresh dagu
  cat > "$workspace/w.yaml" <<'YAML'
steps:
  - id: plan
    run: echo plan
    approval: {prompt: Deploy to production?, input: [ticket], required: [ticket]}
  - id: deploy
    depends: plan
    run: touch done
YAML
  imported_run
  not_done 'prompt: Deploy to production?'
}

dagu_human_task() {
  fresh dagu
  cat > "$workspace/w.yaml" <<'YAML'
steps:
  - id: review
    action: human.task
    with: {prompt: May it ship?, form: {type: object, properties: {region: {type: string}}, required: [region]}}
  - id: ship
    depends: review
    run: touch done
YAML
  imported_run
  not_done 'region:'
}

dagu_container() {
  fresh dagu
  printf 'container: {image: alpine, network: none}\nsteps:\n  - id: untrusted\n    run: touch done\n' > "$workspace/w.yaml"
  imported_run
  not_done 'on this machine'
}

dagu_ssh() {
  fresh dagu
  printf 'ssh: {user: deploy, host: far}\nsteps:\n  - {id: a, run: touch done}\n' > "$workspace/w.yaml"
  imported_run
  not_done 'over ssh'
}

dagu_worker() {
  fresh dagu
  printf 'worker_selector: {zone: isolated}\nsteps:\n  - {id: a, run: touch done}\n' > "$workspace/w.yaml"
  imported_run
  not_done 'zone=isolated'
}

dagu_router() {
  fresh dagu
  cat > "$workspace/w.yaml" <<'YAML'
type: graph
steps:
  - id: way
    action: router.route
    with: {value: 'no', routes: {'yes': [risky], 'no': [harmless]}}
  - {id: risky, run: touch done}
  - {id: harmless, run: touch fine}
YAML
  imported_run
  [ -e "$workspace/fine" ] || { echo "the other way was not taken"; return 1; }
  not_done "outputs.r0 == 'true'"
}

dagu_misspelt() {
  fresh dagu
  printf 'steps:\n  - {id: a, run: echo, aproval: {prompt: Go on?}}\n  - {id: b, depends: a, run: touch done}\n' > "$workspace/w.yaml"
  imported_run
  not_done 'aproval'
}

dagu_substitution() {
  fresh dagu
  # shellcheck disable=SC2016
  printf 'env:\n  - A: $(touch done)\n  - B: "`touch done`${A}"\nsteps:\n  - id: a\n    env: [{C: "$(touch done)"}]\n    preconditions: [{condition: "$(touch done)", expected: x, negate: true}]\n    run: printf "%%s\\n" "$A$B$C" > kept\n' > "$workspace/w.yaml"
  imported_run
  # shellcheck disable=SC2016
  grep -qF '$(touch done)' "$workspace/kept" || { echo "the text did not arrive"; return 1; }
  not_done 'kept'
}

dagu_value() {
  fresh dagu
  # shellcheck disable=SC2016
  printf 'params: [{name: who, type: string, required: true}]\nsteps:\n  - id: a\n    run: |\n      echo ${params.who} > kept\n      echo '"'"'${params.who}'"'"' >> kept\n' > "$workspace/w.yaml"
  # shellcheck disable=SC2016
  imported_run 'who=$(touch done); touch done'
  # shellcheck disable=SC2016
  [ "$(grep -cF '$(touch done); touch done' "$workspace/kept")" = 2 ] || { echo "the value did not arrive"; return 1; }
  not_done 'CUE_ARG_1'
}

dagu_second_document() {
  fresh dagu
  printf 'steps:\n  - {id: a, action: dag.run, with: {dag: child}}\n---\nname: child\nsteps:\n  - {id: guard, run: "true", approval: {}}\n  - {id: go, depends: guard, run: touch done}\n' > "$workspace/w.yaml"
  cd "$workspace" || return 1
  "$program" import dagu w.yaml --to made > told 2>&1 || { cat told; return 1; }
  timeout 4 "$program" run made/w.yaml --headless > ran 2>&1 < /dev/null
  [ -s made/child.yaml ] || { echo "the second workflow is gone"; return 1; }
  cp made/child.yaml out.yaml
  not_done 'gate:'
}

# Every key of the published schema with 3 values that do not fit: what is written passes the checker.
dagu_hostile() {
  fresh dagu
  cd "$workspace" || return 1
  local count=0 key value
  for key in name dotenv working_dir consts schedule type env secrets defaults handler_on timeout_sec preconditions \
    params container resources worker_selector shell steps.id steps.name steps.run steps.action steps.stdout steps.stderr \
    steps.output steps.outputs steps.depends steps.continue_on steps.retry_policy steps.repeat_policy steps.preconditions \
    steps.timeout_sec steps.parallel steps.foreach steps.env steps.with steps.approval; do
    # shellcheck disable=SC2016
    for value in '[{"a b": "${{ x }}"}, "$(x)`", null]' '{"${{ secrets.X }}": {"": [[]]}, "name": -1}' '"\u0001 ${{ inputs.y }} ${a.b}\n---"'; do
      case $key in
        steps.*) printf 'steps:\n  - {id: a, %s: %s}\n  - {id: b, run: echo}\n' "${key#steps.}" "$value" ;;
        *) printf '%s: %s\nsteps:\n  - {id: a, run: echo}\n' "$key" "$value" ;;
      esac > w.yaml
      count=$(( count + 1 ))
      timeout 10 "$program" import dagu w.yaml --to "made$count" > told 2>&1
      case $? in
        0) "$program" check "made$count/w.yaml" > told 2>&1 || { echo "$key: $value"; cat told; return 1; } ;;
        2) ;;
        *) echo "$key: $value"; cat told; return 1 ;;
      esac
    done
  done
  echo "$count hostile files: each refused with a sentence, or imported as a file that passes the checker"
}

dagu_large() {
  fresh dagu
  cd "$workspace" || return 1
  # shellcheck disable=SC2016
  { printf 'env: [{A: "$HOME%04000d"}]\nsteps:\n' 0; for i in $(seq 1500); do printf '  - {id: a%d, run: echo}\n' "$i"; done; } > w.yaml
  timeout 20 "$program" import dagu w.yaml > out.yaml 2> told
  case $? in
    0) "$program" check out.yaml > told 2>&1 && echo "imported, and the checker takes it" ;;
    2) grep -m 1 -e '4 MiB' told ;;
    *) return 1 ;;
  esac
}

attack "an approval of Dagu is left out on import" dagu_approval
attack "a human task of Dagu is left out on import" dagu_human_task
attack "a container of Dagu becomes a step of this machine" dagu_container
attack "a step over ssh becomes a step of this machine" dagu_ssh
attack "a worker that Dagu selects is any machine" dagu_worker
attack "both ways of a router are taken" dagu_router
attack "a misspelt key that guards a step is left out" dagu_misspelt
attack "text that Dagu keeps is run by a shell" dagu_substitution
attack "a value of a parameter is run by a shell" dagu_value
attack "an approval in the second document of a file is left out" dagu_second_document
attack "files with keys that do not fit" dagu_hostile
attack "a file that grows on import" dagu_large

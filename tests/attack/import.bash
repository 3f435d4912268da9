# Imports of Argo and GitHub: whatever approves, confines or places work there is a gate, a label, an option of docker or a refusal here.
# shellcheck shell=bash

# Imports standard input into imported.yaml of a fresh workspace: `take SYSTEM`.
take() {
  fresh import
  cat > "$workspace/foreign"
  cue import "$1" foreign > "$workspace/imported.yaml" 2> "$workspace/said"
}

# A line of the imported file that says so.
line() { grep -m 1 -F -e "$1" "$workspace/imported.yaml"; }

# A workflow of Argo with one container: WORKFLOW-KEYS TEMPLATE-KEYS CONTAINER-KEYS, each `key: value, ` or nothing.
argo() {
  take argo < <(printf 'spec: {entrypoint: main, %s templates: [{name: main, %s container: {image: busybox, %s command: ["true"]}}]}\n' "$1" "$2" "$3")
}

# A workflow of GitHub whose one job has these lines.
github() {
  take github < <(printf 'jobs:\n  ship:\n'; printf '    %s\n' "$@")
}

# Runs the imported file, 8 s at most: a run that gets so far waits at a gate.
shortly() { (cd "$workspace" && env -i PATH="$PATH" HOME="$scratch" LC_ALL=C.UTF-8 timeout 8 "$program" run imported.yaml --headless); }

# A run that is refused before anything begins.
refused_run() {
  ! shortly > "$workspace/run" 2>&1 && grep -m 1 "could not start" "$workspace/run"
}

# A gate stands before the step, and the step needs it: GATE STEP.
asked() {
  cue check imported.yaml > "$workspace/run" 2>&1 || return 1
  grep -q -- "- id: $1" "$workspace/imported.yaml" || return 1
  sed -n "/- id: $2\$/,/^\$/p" "$workspace/imported.yaml" | grep -q -- "needs:.*$1\|- $1" || return 1
  line "prompt:"
}

# A merge key brings what is written nowhere else at its place.
merged_guard() { # SYSTEM TEXT
  take "$1" <<< "$2" && { echo "it was imported"; cat "$workspace/said"; return 1; }
  grep -m 1 -F '`<<`' "$workspace/said"
}
merged_suspend() { merged_guard argo 'spec: {<<: {suspend: true}, entrypoint: main, templates: [{name: main, container: {image: busybox, command: ["true"]}}]}'; }
merged_environment() { merged_guard github 'jobs: {ship: {<<: {environment: production}, runs-on: ubuntu-latest, steps: [{run: touch shipped}]}}'; }
attack "a suspend behind a merge key of Argo" merged_suspend
attack "an environment behind a merge key of GitHub" merged_environment

rejected_environment() {
  fresh import
  printf 'jobs:\n  ship:\n    environment: production\n    steps:\n      - run: touch shipped\n      - {if: always(), run: touch always}\n' > "$workspace/foreign"
  cue import github foreign > "$workspace/imported.yaml" 2> /dev/null
  shortly > "$workspace/run" 2>&1 &
  local run=$!
  until_true eval 'cue gates 2> /dev/null | grep -q g-1'
  cue reject g-1 --reason no > /dev/null 2>&1
  wait "$run"
  [ ! -e "$workspace/shipped" ] && [ ! -e "$workspace/always" ] && grep -m 1 -F "rejected" "$workspace/run"
}

suspended_workflow() { argo 'suspend: true,' '' '' && asked start main; }
security_context() {
  argo '' '' 'securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}},'
  line "docker run" | grep -F -e "--read-only" | grep -F -e "--cap-drop ALL" | grep -F -e "--user 1000" | grep -F no-new-privileges
}
pod_security() { argo 'securityContext: {runAsUser: 1000},' '' '' && line "docker run" | grep -F -e "--user 1000"; }
non_root() { argo '' '' 'securityContext: {runAsNonRoot: true},' && asked main-held main; }
resource_limits() { argo '' '' 'resources: {limits: {memory: 64Mi, cpu: 500m}},' && line "docker run" | grep -F -e "--memory 67108864b"; }
template_defaults() { argo 'templateDefaults: {container: {securityContext: {readOnlyRootFilesystem: true}}},' '' '' && line "docker run" | grep -F -e "--read-only"; }
node_selector() { argo '' 'nodeSelector: {pool: secure},' '' && refused_run; }
affinity() { argo 'affinity: {nodeAffinity: {}},' '' '' && asked start main; }
tolerations() { argo '' 'tolerations: [{key: gpu}],' '' && asked main-held main; }
lock() { argo '' 'synchronization: {mutexes: [{name: m}]},' '' && asked main-held main; }
hooks() { argo 'hooks: {exit: {template: main}},' '' 'envFrom: [{secretRef: {name: s}}],' && line '`envFrom`' && line '`hooks`'; }
suspended_cron() {
  take argo < <(printf 'kind: CronWorkflow\nspec: {schedules: ["0 3 * * *"], suspend: true, workflowSpec: {entrypoint: m, templates: [{name: m, container: {image: busybox}}]}}\n')
  ! grep -q "cron:" "$workspace/imported.yaml" && line '`suspend`'
}
dry_run() {
  take argo < <(printf 'spec: {entrypoint: m, templates: [{name: m, resource: {action: delete, flags: ["--dry-run=server"], manifest: "kind: Pod"}}]}\n')
  line "kubectl delete --dry-run=server"
}
dag_target() {
  take argo < <(printf 'spec: {entrypoint: m, templates: [{name: m, dag: {target: a, tasks: [{name: a, template: c}, {name: ship, template: c}]}}, {name: c, container: {image: busybox}}]}\n')
  ! grep -q "id: ship" "$workspace/imported.yaml" && line "id: a"
}
retries() { argo '' 'retryStrategy: {limit: 3, retryPolicy: OnError},' '' && ! grep -q "max-attempts" "$workspace/imported.yaml" && line '`retryStrategy`'; }

# The copy of this machine runs, the one of Windows does not, and nothing that needs the job follows before a person has said so.
windows_leg() {
  # shellcheck disable=SC2016
  take github < <(
    printf 'jobs:\n  ship:\n    runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [ubuntu-latest, windows-latest]}}\n'
    printf '    steps: [{run: "touch ran-${{ matrix.os }}"}]\n'
    printf '  after: {needs: ship, steps: [{run: touch after}]}\n  always: {needs: ship, if: always(), steps: [{run: touch after}]}\n'
  )
  shortly > "$workspace/run" 2>&1
  [ -e "$workspace/ran-ubuntu-latest" ] && [ ! -e "$workspace/ran-windows-latest" ] && [ ! -e "$workspace/after" ] &&
    grep -m 1 "windows-latest of ship, which needs windows: not run here" "$workspace/said"
}
mixed_legs() {
  github 'runs-on: ${{ fromJSON(matrix.on) }}' 'strategy: {matrix: {on: ["[\"ubuntu-24.04\"]", "[\"self-hosted\", \"gpu\"]"]}}' 'steps: [{run: touch ran}]'
  line "which needs gpu?"
}
windows_job() { github 'runs-on: windows-latest' 'steps: [{run: touch ran}]'; refused_run | grep windows; }
open_runner() {
  github 'runs-on: ${{ fromJSON(vars.RUNNER) }}' 'steps: [{run: touch ran}]'
  asked ship-machine ship
}
job_lock() {
  take github < <(printf 'concurrency: {group: all}\njobs:\n  ship: {concurrency: {group: ship}, steps: [{run: touch ran}]}\n')
  asked ship-group ship
}
token_rights() {
  github 'permissions: {contents: read}' 'steps: [{run: "gh x", env: {T: "${{ github.token }}"}}]'
  asked token-permissions ship
}
background() { github 'steps: [{run: ./server, background: true}, {run: touch ran}]'; asked ship-1 ship-2; }
node_options() {
  github 'steps:' '- run: echo "NODE_OPTIONS=--require=./evil.js" >> "$GITHUB_ENV"' '- run: touch ran'
  shortly > "$workspace/run" 2>&1
  [ ! -e "$workspace/ran" ] && cue logs r-1 2>&1 | grep -m 1 "NODE_OPTIONS cannot be set so"
}
passes_check() {
  github 'steps:' "- run: echo '\${{ github.ref }}'" '- run: print("${{ github.sha }}")' '  shell: python'
  cue check imported.yaml > "$workspace/run" 2>&1 && tail -n 1 "$workspace/run"
}
too_large() {
  take github < <(
    printf 'jobs:\n  a:\n    env: {LONG: %s}\n    steps:\n' "$(head -c 40000 /dev/zero | tr '\0' x)"
    for _ in {1..200}; do printf '      - run: echo\n'; done
  ) && return 1
  grep -m 1 "more than the 4 MiB\|more than 4 MiB" "$workspace/said"
}
# A key that guards something has a value of a shape that nobody reads: SYSTEM FILE KEY.
misshapen() {
  local said=''
  while IFS='|' read -r system file key; do
    take "$system" <<< "$file" && { echo "imported: $file"; return 1; }
    grep -q -F "\`$key\` is of type" "$workspace/said" || { cat "$workspace/said"; return 1; }
    said=$(head -n 1 "$workspace/said")
  done <<'FILES'
github|jobs: {a: {if: [false], steps: [{run: touch ran}]}}|jobs.a.if
github|jobs: {a: {steps: [{run: touch ran, if: [false]}]}}|jobs.a.steps[0].if
github|jobs: {a: {runs-on: {labels: {os: windows}}, steps: [{run: touch ran}]}}|jobs.a.runs-on.labels
github|jobs: {a: {needs: {b: c}, steps: [{run: touch ran}]}}|jobs.a.needs
github|jobs: {a: {environment: [prod], steps: [{run: touch ran}]}}|jobs.a.environment
argo|spec: {entrypoint: m, templates: [{name: m, nodeSelector: [secure], container: {image: x}}]}|spec.templates[0].nodeSelector
argo|spec: {entrypoint: m, templates: [{name: m, securityContext: strict, container: {image: x}}]}|spec.templates[0].securityContext
argo|spec: {entrypoint: m, synchronization: [m], templates: [{name: m, container: {image: x}}]}|spec.synchronization
argo|spec: {entrypoint: m, templates: [{name: m, dag: {tasks: [{name: a, template: c, when: ["false"]}]}}, {name: c, container: {image: x}}]}|spec.templates[0].dag.tasks[0].when
argo|spec: {entrypoint: m, templates: [{name: m, dag: {tasks: [{name: a, template: c}, {name: b, template: c, depends: [a]}]}}, {name: c, container: {image: x}}]}|spec.templates[0].dag.tasks[1].depends
dagu|{working_dir: [jail], steps: [{id: a, run: touch ran}]}|working_dir
dagu|{secrets: KEY, steps: [{id: a, run: touch ran}]}|secrets
FILES
  echo "$said"
}

# Values that do not fit behind keys of the published schemas: what is written passes the checker.
hostile() { # SYSTEM FILE-WITH-@
  local count=0 key value
  cd "$workspace" || return 1
  while read -r key file; do
    # shellcheck disable=SC2016
    for value in '[[[]]]' '{"": {"a": null}}' '-1' '1e400' '"$(touch x) ${{ secrets.X }} {{x}} `x`"' '"\u202e\u001b[2J\n# x\n---\n"' \
      '&a [*a]' '!!python/object:x y' '1, [x]: 2' '1, 7: x'; do
      printf '%s\n' "${file//@/"$key: $value"}" > hostile.yaml
      count=$(( count + 1 ))
      timeout 10 "$program" import "$1" hostile.yaml > made.yaml 2> said
      case $? in
        0) "$program" check made.yaml > checked 2>&1 || { echo "$key: $value"; cat checked; return 1; } ;;
        2) grep -q '^could not ' said || { echo "$key: $value"; cat said; return 1; } ;;
        *) echo "$key: $value"; cat said; return 1 ;;
      esac
      if grep -qP '[\x00-\x08\x0e-\x1f\x7f]|\xe2\x80\xae' said; then echo "$key: $value"; cat -v said; return 1; fi
    done
  done
  echo "$count hostile files: each refused with a sentence, or imported as a file that passes the checker"
}
hostile_github() {
  fresh import
  # shellcheck disable=SC2016
  hostile github < <(
    for key in permissions env concurrency defaults on; do echo "$key {@, jobs: {a: {steps: [{run: echo}]}}}"; done
    for key in needs environment container services strategy concurrency if permissions runs-on; do echo "$key {jobs: {a: {@, steps: [{run: echo}]}}}"; done
    for key in if uses with shell env timeout-minutes; do echo "$key {jobs: {a: {steps: [{run: echo, @}]}}}"; done
  )
}
hostile_argo() {
  fresh import
  hostile argo < <(
    for key in arguments onExit suspend nodeSelector securityContext synchronization templateDefaults hooks; do
      echo "$key {spec: {entrypoint: m, @, templates: [{name: m, container: {image: x}}]}}"
    done
    for key in inputs retryStrategy timeout nodeSelector securityContext podSpecPatch tolerations; do
      echo "$key {spec: {entrypoint: m, templates: [{name: m, @, container: {image: x}}]}}"
    done
    for key in command args env resources securityContext; do
      echo "$key {spec: {entrypoint: m, templates: [{name: m, container: {image: x, @}}]}}"
    done
  )
}

# A note is shown and written without letters that hide or turn others.
hidden_note() {
  # shellcheck disable=SC1003
  take github < <(printf 'jobs:\n  a: {"x\\u202egnihton\\e[2J": 1, steps: [{run: echo}]}\n')
  if grep -P '\x1b|\xe2\x80\xae' "$workspace/said" || grep '^#' "$workspace/imported.yaml" | grep -P '\x1b|\xe2\x80\xae'; then return 1; fi
  line "U+202E"
}
negative_number() { fresh import; [ "$(cue dev eval '-1 < 2')" = true ] && [ "$(cue dev eval '')" = '""' ] && echo 'read as expressions: -1 < 2 is true, nothing is ""'; }
unknown_context() { fresh import; ! cue dev eval 'secret.TOKEN == null' > "$workspace/said" 2>&1 && grep -m 1 "Unrecognized named-value" "$workspace/said"; }

# An argument behind the place of the script is no script.
shell_with_argument() {
  github 'steps:' '- run: touch step-ran' '  shell: bash --noprofile {0} ./prod'
  printf '#!/bin/sh\ntouch argument-ran\n' > "$workspace/prod"
  chmod +x "$workspace/prod"
  shortly > "$workspace/run" 2>&1
  [ ! -e "$workspace/argument-ran" ] && line 'bash --noprofile'
}
# An interpreter with `-c` checks a script, and does not run it.
shell_of_perl() {
  command -v perl > /dev/null || absent perl
  github 'steps:' "- run: open(F, '>', 'step-ran')" '  shell: perl -w {0}'
  shortly > "$workspace/run" 2>&1
  [ -e "$workspace/step-ran" ] && line 'shell:'
}
# A suspend that is answered by a value is a question, also where its time runs out.
suspended_question() {
  take argo <<'END' || return 1
spec:
  entrypoint: m
  templates:
  - name: m
    steps:
    - - {name: approve, template: ask}
    - - {name: ship, template: run, when: "{{steps.approve.outputs.parameters.approve}} != NO"}
  - name: ask
    suspend: {duration: "1"}
    inputs: {parameters: [{name: approve, default: 'NO', enum: ['YES','NO']}]}
    outputs: {parameters: [{name: approve, valueFrom: {supplied: {}}}]}
  - name: run
    container: {image: alpine, command: [sh, -c], args: ["true"]}
END
  cue check imported.yaml > "$workspace/run" 2>&1 || { cat "$workspace/run"; return 1; }
  mkdir "$workspace/bin"
  printf '#!/bin/sh\ntouch "%s/shipped"\n' "$workspace" > "$workspace/bin/docker"
  chmod +x "$workspace/bin/docker"
  (export PATH=$workspace/bin:$PATH; shortly) > "$workspace/run" 2>&1
  [ ! -e "$workspace/shipped" ] && line '`duration`'
}
output_of_a_wait() {
  fresh import
  printf 'steps:\n  - {id: a, wait: 1s}\n  - {id: b, needs: a, if: "steps.a.outputs.go != %s", run: touch ran}\n' "'no'" > "$workspace/flow.yaml"
  cue check flow.yaml > "$workspace/said" 2>&1 && { echo "check says nothing"; return 1; }
  grep -F 'declares no output `go`' "$workspace/said"
}

attack "github: an always() step behind a rejected environment" rejected_environment
attack "github: a Windows copy of a computed runs-on" windows_leg
attack "github: a copy whose runner is read from JSON" mixed_legs
attack "github: a Windows job" windows_job
attack "github: a runner that is known only while it runs" open_runner
attack "github: the concurrency group of a job" job_lock
attack "github: permissions of the token that a step is given" token_rights
attack "github: a background step and its server" background
attack "github: NODE_OPTIONS through GITHUB_ENV" node_options
attack "github: a file that would not pass check" passes_check
attack "github: a file above the size limit" too_large
attack "argo: a workflow that is suspended" suspended_workflow
attack "argo: securityContext of a container" security_context
attack "argo: securityContext of all pods" pod_security
attack "argo: runAsNonRoot" non_root
attack "argo: limits of resources" resource_limits
attack "argo: templateDefaults" template_defaults
attack "argo: nodeSelector" node_selector
attack "argo: affinity" affinity
attack "argo: tolerations" tolerations
attack "argo: a mutex of a template" lock
attack "argo: hooks and envFrom" hooks
attack "argo: a cron workflow that is suspended" suspended_cron
attack "argo: --dry-run of a resource" dry_run
attack "argo: the target of a graph" dag_target
attack "argo: a retry that is for errors alone" retries
attack "eval: a context that is not there" unknown_context
attack "eval: an expression that looks like an option, and one that is empty" negative_number
attack "a guard whose value has a shape that nobody reads" misshapen
attack "github: values that do not fit" hostile_github
attack "argo: values that do not fit" hostile_argo
attack "a note that hides what it says" hidden_note
attack "github: an argument behind the place of the script" shell_with_argument
attack "github: an interpreter that is no shell" shell_of_perl
attack "argo: a suspend with a time and a question" suspended_question
attack "an output of a step that only waits" output_of_a_wait

unknown_setup() { # ACTION: its name proves nothing
  github 'runs-on: ubuntu-latest' 'steps:' "  - uses: $1@v1" '  - run: touch shipped'
  cue check imported.yaml > "$workspace/run" 2>&1 && line "prompt:" | grep -F -e "$1"
}
setup_approval() { unknown_setup acme/setup-approval; }
upload_of_another() { unknown_setup acme/upload-artifact; }
cache_of_another() { unknown_setup acme/release-cache; }
attack "an action that is called like an installation" setup_approval
attack "an action that is called like the one that keeps files" upload_of_another
attack "an action that is called like a cache" cache_of_another

unreadable_container() {
  # shellcheck disable=SC2016 # an expression of GitHub
  github 'runs-on: ubuntu-latest' 'container: {image: "node:${{ inputs.nope }}", options: --network none}' 'steps: [{run: touch shipped}]'
  cue check imported.yaml > "$workspace/run" 2>&1 && line "prompt:" | grep -F -e "in the container node:" | grep -F -e "--network none"
}
attack "a container whose image cannot be read" unreadable_container

# shellcheck shell=bash
# A directory that came from somebody else runs nothing, writes nothing and sends nothing until its user accepts it.

strangers=yes

# A directory as `git clone` leaves it: a `.cuelight` that no cuelight of ours made, with a schedule.
cloned() {
  fresh cloned
  mkdir -p "$workspace/.cuelight/workflows"
  chmod -R go-w "$workspace/.cuelight"
  printf 'on:\n  schedule: [{cron: "* * * * *"}]\nsteps:\n  - {id: a, run: touch pwned}\n' > "$workspace/.cuelight/workflows/x.yaml"
  printf 'steps:\n  - {id: a, run: touch ran}\n' > "$workspace/flow.yaml"
}

# A workspace of our own, in which something has run.
own() {
  fresh own
  printf 'steps:\n  - {id: a, run: touch ran}\n' > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1 || { echo "could not run here"; return 1; }
}

# The command must fail and say this: `refuses WORDS COMMAND…`.
refuses() {
  local words=$1 said code
  shift
  said=$("$@" 2>&1 < /dev/null); code=$?
  echo "$said"
  [ "$code" -ne 0 ] && grep -q -- "$words" <<< "$said"
}

# The hash over all that `trust` shows.
shown_hash() { cue trust --json 2> /dev/null | grep '^  "hash"' | grep -o '[0-9a-f]\{64\}'; }

all_hashes() { (cd "$workspace" && find . -type f -exec sha256sum {} + | sort | sha256sum); }

shipped_schedule() { cloned; refuses "not trusted" cue serve --until-idle --idle-after 1ms && [ ! -e "$workspace/.cuelight/lock" ]; }
attack "a schedule that came with a directory gets no engine" shipped_schedule

shipped_database() {
  own || return 1
  local from=$workspace before
  fresh copy
  cp -r "$from/.cuelight" "$workspace/.cuelight"
  before=$(all_hashes)
  refuses "moved or copied" cue serve --until-idle --idle-after 1ms || return 1
  cue runs > /dev/null 2>&1
  [ "$before" = "$(all_hashes)" ]
}
attack "a database that came with a directory is not taken up, and looking writes nothing" shipped_database

each_door() {
  local door said
  for door in "run flow.yaml --headless" "gate --title t --timeout 1s" "mcp" "serve --detach" \
    "emit a" "tools test file.read --with path=flow.yaml" "keys rotate" "token --agent qa --type qa"; do
    cloned
    # shellcheck disable=SC2086
    said=$(cue $door 2>&1 < /dev/null) && { echo "$door went through: $said"; return 1; }
    [ ! -e "$workspace/ran" ] && [ ! -e "$workspace/.cuelight/lock" ] && [ ! -e "$workspace/.cuelight/keys" ] ||
      { echo "$door wrote: $said"; return 1; }
  done
  echo "$said"
}
attack "no command acts in a directory that came from somebody else" each_door

hook() {
  cloned
  echo '{"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "session_id": "s", "cwd": "/"}' > "$workspace/question"
  said=$(cue hook claude-code --timeout 1s --workspace "$workspace" 2>&1 < "$workspace/question")
  echo "$said"
  grep -q "not trusted" <<< "$said" && [ ! -e "$workspace/.cuelight/lock" ]
}
attack "a coding agent in a cloned directory is told no, and no engine starts there" hook

lock_link() {
  cloned
  echo "alias ls=ls" > "$workspace/bashrc"
  ln -s ../bashrc "$workspace/.cuelight/lock"
  refuses "symbolic link" cue run flow.yaml --headless && grep -q alias "$workspace/bashrc"
}
attack "a lock that is a link empties no file" lock_link

log_link() {
  cloned
  ln -s ../authorized_keys "$workspace/.cuelight/serve.log"
  cue serve --detach > "$workspace/said" 2>&1 < /dev/null
  cat "$workspace/said"
  cue engine shutdown > /dev/null 2>&1
  [ ! -e "$workspace/authorized_keys" ]
}
attack "a log that is a link writes no file" log_link

links_of_own() {
  local name
  for name in checkpoints keys guard spool library.db cuelight.db cuelight.db-wal probe config.toml scratch; do
    own || return 1
    mkdir "$workspace/outside"
    rm -rf "${workspace:?}/.cuelight/$name"
    ln -s ../outside/x "$workspace/.cuelight/$name"
    refuses "\.cuelight/$name: it is a symbolic link" cue run flow.yaml --headless || { echo "$name"; return 1; }
    [ -z "$(ls "$workspace/outside")" ] || { echo "$name was followed"; return 1; }
  done
}
attack "a link below .cuelight is refused by its name, in a workspace of one's own too" links_of_own

traces() {
  own || return 1
  printf '[traces]\nendpoint = "https://collector.example"\nheaders = {x = "AWS_SECRET_ACCESS_KEY"}\n' > "$workspace/.cuelight/config.toml"
  said=$(cd "$workspace" && env -i PATH="$PATH" HOME="$scratch" AWS_SECRET_ACCESS_KEY=0123456789abcdef "$program" run flow.yaml --headless 2>&1) && return 1
  echo "$said"
  grep -q "AWS_SECRET_ACCESS_KEY is not set" <<< "$said"
}
attack "the address of traces is sent no variable that its user has not named for it" traces

pulled() {
  command -v git > /dev/null || absent git
  own || return 1
  (cd "$workspace" && git init -q . && mkdir -p .cuelight/workflows && cp flow.yaml .cuelight/workflows/x.yaml &&
    git add -f .cuelight/workflows/x.yaml) || return 1
  local hash
  hash=$(shown_hash)
  cue trust --own --accept "$hash" > /dev/null 2>&1
  cue run flow.yaml --headless > /dev/null 2>&1 || { echo "what was accepted does not run"; return 1; }
  printf 'on:\n  schedule: [{cron: "* * * * *"}]\nsteps:\n  - {id: a, run: touch pwned}\n' > "$workspace/.cuelight/workflows/x.yaml"
  refuses "workflows/x.yaml (changed)" cue serve --until-idle --idle-after 1ms
}
attack "a schedule that a git pull changes is asked about" pulled

# A schedule that version control carries: in a repository of other hashes, in another system, and below .cuelight.
carried() { # COMMAND…
  own || return 1
  mkdir -p "$workspace/.cuelight/workflows"
  (cd "$workspace" && "$@") > /dev/null 2>&1 || return 1
  printf 'on:\n  schedule: [{cron: "* * * * *"}]\nsteps:\n  - {id: a, run: touch pwned}\n' > "$workspace/.cuelight/workflows/x.yaml"
  refuses "trust" cue serve --until-idle --idle-after 1ms
}
tracks_in_sha256() { git init -q --object-format=sha256 && cp flow.yaml .cuelight/workflows/x.yaml && git add -f .cuelight/workflows/x.yaml; }
carried_by_sha256() { carried tracks_in_sha256; }
carried_by_sapling() { carried mkdir .sl; }
carried_below() { carried git init -q .cuelight/workflows; }
attack "a schedule in a repository of SHA-256" carried_by_sha256
attack "a schedule in a checkout of Sapling" carried_by_sapling
attack "a schedule in a repository below .cuelight" carried_below

# A journal cannot be imported; a prepared database that is put in place acts on nothing, and its approval is named before trust.
prepared_journal() {
  fresh own
  printf 'steps:\n  - {id: ok, gate: {prompt: "Ship?", undo-window: 1h}}\n  - {id: ship, needs: ok, run: touch shipped}\n' > "$workspace/flow.yaml"
  (cue run flow.yaml --headless > /dev/null 2>&1 < /dev/null &)
  until_true eval "cue gates --json | grep -q '\"open\"'" || { echo "no gate"; return 1; }
  cue approve g-1 > /dev/null 2>&1 || { echo "no approval"; return 1; }
  local from=$workspace said
  fresh copy
  cp -r "$from/.cuelight" "$workspace/.cuelight" 2> /dev/null
  (workspace=$from; cue cancel r-1 --reason over > /dev/null 2>&1)
  refuses "moved or copied" cue serve --until-idle --idle-after 1ms > /dev/null || return 1
  said=$(cue trust 2>&1 < /dev/null)
  grep "g-1 ok approved in a moment" <<< "$said" || { echo "$said"; return 1; }
  [ ! -e "$workspace/shipped" ]
}
attack "a prepared journal with an approved gate starts nothing, and is named before it is trusted" prepared_journal

moved() {
  own || return 1
  local from=$workspace
  mv "$from" "$from-moved"
  workspace=$from-moved
  refuses "moved or copied" cue run flow.yaml --headless
}
attack "a workspace that was moved is asked about" moved

unpacked() {
  own || return 1
  (cd "$workspace" && tar cf ../own.tar .cuelight && mv .cuelight away && tar xf ../own.tar) || return 1
  refuses "restored or unpacked" cue run flow.yaml --headless
}
attack "a workspace that was restored from a tarball is asked about" unpacked

changed_meanwhile() {
  cloned
  local hash
  hash=$(shown_hash)
  [ -n "$hash" ] || { echo "nothing is shown"; return 1; }
  echo "# more" >> "$workspace/.cuelight/workflows/x.yaml"
  refuses "changed since that was shown" cue trust --accept "$hash" && refuses "not trusted" cue run flow.yaml --headless
}
attack "a file that changes between showing and accepting is not accepted" changed_meanwhile

out_of_git() {
  command -v git > /dev/null || absent git
  own || return 1
  (cd "$workspace" && git init -q . && git add -A && git ls-files) > "$workspace.list" 2>&1
  cat "$workspace.list"
  ! grep -q '\.cuelight' "$workspace.list" || return 1
  (cd "$workspace" && git add -f .cuelight/cuelight.db)
  refuses "git rm -r --cached .cuelight" cue doctor | grep -o "git tracks.*"
}
attack "keys and the log are not added to version control, and doctor finds those that are" out_of_git

write_hook() {
  fresh own
  mkdir -p "$workspace/.git/hooks"
  printf 'steps:\n  - id: a\n    uses: file.write@1\n    with: {path: .git/hooks/pre-commit, text: evil}\n' > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1
  cue show r-1 --json 2>&1 | grep -o "could not write .git[^\"]*" | head -n 1
  [ ! -e "$workspace/.git/hooks/pre-commit" ]
}
attack "the built-in tool writes no hook of git" write_hook

other_engine() {
  fresh other
  cue serve --detach > /dev/null 2>&1 || return 1
  (cue gate --title "Go?" --timeout 20s > /dev/null 2>&1 < /dev/null &)
  until_true eval "cue gates --json | grep -q '\"open\"'" || { echo "no gate"; return 1; }
  local other=$workspace state
  cloned
  ln -s "$other/.cuelight/cuelight.sock" "$workspace/.cuelight/cuelight.sock"
  cue approve g-1 2>&1
  workspace=$other
  state=$(cue gates --json | grep -o '"state": "[a-z]*"' | head -n 1)
  cue reject g-1 --reason over > /dev/null 2>&1
  cue engine shutdown > /dev/null 2>&1
  [ "$state" = '"state": "open"' ]
}
attack "a socket that is a link leads to no other workspace's gates" other_engine

strangers=

no_file() {
  local kind name said
  for name in config.toml workflows/y.yaml tools/y.yaml; do
    for kind in mkfifo "truncate -s 20G"; do
      cloned
      mkdir -p "$(dirname "$workspace/.cuelight/$name")"
      $kind "$workspace/.cuelight/$name" || return 1
      for said in doctor trust schedules; do
        (cue "$said" > "$workspace/said" 2>&1 < /dev/null) &
        local looks=$! waits=0
        while kill -0 "$looks" 2> /dev/null; do
          waits=$(( waits + 1 )); [ "$waits" -lt 100 ] || { echo "$said waits for $kind $name"; kill "$looks"; return 1; }
          sleep 0.1
        done
      done
    done
  done
  grep -h "could not" "$workspace/said" | head -n 1 || echo "no look waited"
}
attack "a pipe or 20 GB of nothing in a cloned directory holds up whoever looks" no_file

called_elsewhere() {
  cloned
  printf 'on:\n  schedule: [{cron: "* * * * *"}]\nsteps:\n  - {id: a, workflow: ../../part.yaml}\n' > "$workspace/.cuelight/workflows/x.yaml"
  printf 'steps:\n  - {id: b, run: true}\n' > "$workspace/part.yaml"
  cue trust --accept "$(shown_hash)" > /dev/null 2>&1 || { echo "could not accept"; return 1; }
  printf 'steps:\n  - {id: b, run: touch pwned}\n' > "$workspace/part.yaml"
  refuses "part.yaml (changed)" cue serve --until-idle --idle-after 1ms && [ ! -e "$workspace/pwned" ]
}
attack "a file that a trusted schedule calls elsewhere is exchanged" called_elsewhere

# Files elsewhere that the settings name act too: what is believed, and what is accepted.
named_elsewhere() {
  local name
  for name in ca.pem schema.json; do
    cloned
    command -v openssl > /dev/null || absent openssl
    printf 'http-authorities = "ca.pem"\n[topics."review/done"]\nabout = "x"\nschema = "schema.json"\n' > "$workspace/.cuelight/config.toml"
    echo '{"type": "object"}' > "$workspace/schema.json"
    openssl req -x509 -newkey ed25519 -nodes -keyout "$scratch/ca.key" -out "$workspace/ca.pem" -subj /CN=good -days 10 2> /dev/null
    cue trust --accept "$(shown_hash)" > /dev/null 2>&1 || { echo "could not accept"; return 1; }
    echo " " >> "$workspace/$name"
    refuses "$name (changed)" cue run flow.yaml --headless && [ ! -e "$workspace/ran" ] || return 1
  done
}
attack "a file that the settings name elsewhere is exchanged" named_elsewhere

# What a merge brings: theirs lies in the conflict, where git has it at no stage of its own; and a file that a schedule calls.
strangers_schedule() { printf 'on:\n  schedule: [{cron: "* * * * *"}]\nsteps:\n  - {id: a, %s}\n' "$1" > "$workspace/.cuelight/workflows/x.yaml"; }
versions() { (cd "$workspace" && git -c user.name=a -c user.email=a@b -c init.defaultBranch=main "$@") > /dev/null 2>&1; }
merges() { # WORDS
  versions checkout -q main
  cue trust --own --accept "$(shown_hash)" > /dev/null 2>&1
  cue run flow.yaml --headless > /dev/null 2>&1 || { echo "what was accepted does not run"; return 1; }
  versions merge -q theirs
  refuses "$1" cue serve --until-idle --idle-after 1ms
}
merged_conflict() {
  command -v git > /dev/null || absent git
  own || return 1
  mkdir -p "$workspace/.cuelight/workflows"; strangers_schedule 'run: "true"'
  versions init -q . && versions add -f .cuelight/workflows/x.yaml && versions commit -qm one && versions checkout -qb theirs || return 1
  strangers_schedule 'run: touch pwned'
  versions commit -qam two && versions checkout -q main && versions rm -q .cuelight/workflows/x.yaml && versions commit -qm three || return 1
  mkdir -p "$workspace/.cuelight/workflows"
  merges "workflows/x.yaml (new)"
}
merged_part() {
  command -v git > /dev/null || absent git
  own || return 1
  mkdir -p "$workspace/.cuelight/workflows"; strangers_schedule 'workflow: ../../part.yaml'
  printf 'steps:\n  - {id: b, run: "true"}\n' > "$workspace/part.yaml"
  versions init -q . && versions add part.yaml && versions commit -qm one && versions checkout -qb theirs || return 1
  printf 'steps:\n  - {id: b, run: touch pwned}\n' > "$workspace/part.yaml"
  versions commit -qam two
  merges "part.yaml (changed)"
}
attack "a schedule that a merge leaves in a conflict" merged_conflict
attack "a file that one's own schedule calls, changed by a merge" merged_part

# A database that writes into itself once it is opened.
prepared_trigger() {
  command -v python3 > /dev/null || absent python3
  own || return 1
  local from=$workspace
  fresh copy
  cp -r "$from/.cuelight" "$from/flow.yaml" "$workspace"
  python3 -c 'import sqlite3, sys
at = sqlite3.connect(sys.argv[1])
at.execute("CREATE TRIGGER hidden AFTER UPDATE ON head BEGIN DELETE FROM events; END")
at.commit()' "$workspace/.cuelight/cuelight.db" || return 1
  grep 'its trigger "hidden" is not' <<< "$(cue trust 2>&1 < /dev/null)" || return 1
  cue trust --accept "$(shown_hash)" > /dev/null 2>&1
  refuses 'its trigger "hidden" is not' cue run flow.yaml --headless && [ ! -e "$workspace/ran" ]
}
attack "a database whose trigger adds records once it was accepted" prepared_trigger

# The undo of an ended run goes on with the next engine.
prepared_undo() {
  fresh own
  printf 'steps:\n  - {id: a, run: "true", undo: "until [ -e %s/go ]; do sleep 0.1; done; touch pwned"}\n' "$workspace" > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1
  cue run undo r-1 --reason x > /dev/null 2>&1
  until_true eval 'cue show r-1 | grep undoing' || { cue show r-1; return 1; }
  local from=$workspace
  fresh copy
  cp -r "$from/.cuelight" "$workspace/.cuelight" 2> /dev/null
  touch "$from/go"
  refuses "moved or copied" cue serve --until-idle --idle-after 1ms > /dev/null && [ ! -e "$workspace/pwned" ] &&
    grep "open, and goes on when an engine starts: r-1" <<< "$(cue trust 2>&1 < /dev/null)"
}
attack "an undo that is not done yet, in a database that came with a directory" prepared_undo

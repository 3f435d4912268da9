# shellcheck shell=bash
# What gets out, grows, stays behind or is read in two ways: secrets in other spellings, built-in tools without limits, programs that
# outlive a test, text that moves a terminal, keys that stand twice.

# A workspace in which `flow.yaml` runs this script with the secret TOKEN.
telling() { # SCRIPT
  fresh leaks; mkdir -p "$workspace/.cuelight/secrets"
  chmod -R go-rwx "$workspace/.cuelight"
  secret='hun&ter2/Sesame+open='
  (umask 077; printf '%s' "$secret" > "$workspace/.cuelight/secrets/TOKEN")
  printf 'secrets: [TOKEN]\nsteps:\n  - id: a\n    env: {TOKEN: "${{ secrets.TOKEN }}"}\n    run: |\n' > "$workspace/flow.yaml"
  printf '      %s\n' "$1" >> "$workspace/flow.yaml"
}

# No log of the run holds any of these: `keeps_in PIECE…`.
keeps_in() {
  local piece said
  cue run flow.yaml --headless > "$workspace/said" 2>&1 || { cat "$workspace/said"; return 1; }
  said=$(cue logs r-1 --raw 2>&1; cat "$workspace/said"; find "$workspace/.cuelight" -name log -exec cat {} + | tr -d '\000')
  for piece in "$@"; do
    ! grep -qF -- "$piece" <<< "$said" || { echo "$piece is told: $said"; return 1; }
  done
  grep -F '***' <<< "$said" | head -n 1
}

percent_small() { telling 'printf %s "$TOKEN" | od -An -tx1 -v | tr -d "\n" | sed "s/ /%/g"; echo'; keeps_in '%68%75%6e%26' '%53%65%73%61'; }
attack "a secret with every byte percent-encoded" percent_small
html() { telling 'printf "%s\n" "$TOKEN" | sed "s/&/\&amp;/g; s/+/\&#43;/; s/=/\&#x3d;/"'; keeps_in 'hun&amp;' 'ter2' 'Sesame' 'open'; }
attack "a secret as HTML" html
base32() { telling 'printf "xx%s" "$TOKEN" | base32; printf "%s" "$TOKEN" | base32 | tr A-Z a-z'; keeps_in 'DVN' 'ORSX' 'nb2w' 'orsx'; }
attack "a secret in base32" base32
utf16() { telling 'printf %s "$TOKEN" | iconv -t UTF-16LE; echo'; keeps_in 'hun&' 'Sesame'; }
attack "a secret in UTF-16" utf16
colon_hex() { telling 'printf %s "$TOKEN" | od -An -tx1 -v | tr -d "\n" | sed "s/^ //; s/ /:/g"; echo'; keeps_in '68:75:6e' '53:65:73'; }
attack "a secret as hex with colons" colon_hex
coloured() { telling 'printf "%s\n" "$TOKEN" | sed "s/Ses/$(printf "\033[1;31m")Ses$(printf "\033[0m")/"'; keeps_in 'hun&ter2' 'ame+open'; }
attack "a secret with a colour inside" coloured
wrapped() { telling 'printf "%070d%s0000" 0 "$TOKEN" | base64; printf "x%s" "$TOKEN" | base64'; keeps_in 'aHVu' 'JnRlcjI' 'h1biZ' 'U2VzYW1l'; }
attack "a secret in base64, at any alignment and over a line end" wrapped

# A built-in tool is refused with these words: `built_in_refused WORDS TOOL INPUT…`.
built_in_refused() {
  local words=$1 said
  shift
  fresh leaks
  said=$(cue tool test "$@" --timeout 2m 2>&1) && { echo "went well: $said"; return 1; }
  said=$(grep -a -F -- "$words" <<< "$said") || return 1
  echo "$said"
}
memory() { built_in_refused "json.query needed more than 512 MiB; narrow the filter" json.query --with data=1 --with 'query=[range(1e12)]'; }
attack "a query that collects without end" memory
one_text() { built_in_refused "json.query needed more than 512 MiB; narrow the filter" json.query --with data=1 --with 'query="x" * 1000000000'; }
attack "a query that makes one text of a gigabyte" one_text
deep() { built_in_refused "nested deeper than 100" json.query --with data=1 --with 'query=reduce range(5000) as $i (0; [.])'; }
attack "a query whose result is nested deep" deep
deeper() { built_in_refused "nested too deep" json.query --with data=1 --with 'query=reduce range(3000000) as $i (0; [.]) | 1'; }
attack "a query that nests until the stack is full" deeper

# A tool that leaves a program of another session behind and goes on itself; it writes its numbers to `pids`.
leaving_tool() {
  fresh leaks; mkdir -p "$workspace/.cuelight/tools"; chmod -R go-rwx "$workspace/.cuelight"
  cat > "$workspace/leave.sh" << 'END'
setsid -f env -i sh -c 'echo $$ >> pids; exec sleep 300'
(trap '' TERM; echo "$BASHPID" >> pids; exec sleep 300) &
while [ "$(wc -l < pids)" -lt 2 ]; do sleep 0.05; done
echo ready
END
  { echo "$1"; } >> "$workspace/leave.sh"
  : > "$workspace/pids"
  cat > "$workspace/.cuelight/tools/leave.yaml" << 'END'
name: leave
version: 1.0.0
description: Leaves programs behind
category: test
reliability: high
effect: pure
risk: read-only
input: {type: object, properties: {}}
output: {type: object, properties: {}}
command: [bash, leave.sh]
END
}
none_lives() {
  local pid
  while read -r pid; do
    ! kill -0 "$pid" 2> /dev/null || [ "$(ps -o stat= -p "$pid")" = Z ] || { kill -9 "$pid"; return 1; }
  done < "$workspace/pids"
  [ "$(wc -l < "$workspace/pids")" -eq 2 ]
}
# Tests the tool in the background, waits until it has begun, does this, and looks what is left: `left_by COMMAND…`.
left_by() {
  local test
  own_it
  (cd "$workspace" && exec env -i PATH="$PATH" HOME="$scratch" "$program" tools test leave --timeout 1m > said 2>&1) &
  test=$!
  until_true grep -q ready "$workspace/said" || { cat "$workspace/said"; return 1; }
  "$@" "$test"
  wait "$test"
  until_true none_lives || { echo "something lives on"; return 1; }
  echo "nothing is left of it"
}
ends_well() { leaving_tool ''; left_by true; }
attack "a program outlives the test of its tool" ends_well
ends_badly() { leaving_tool 'exit 3'; left_by true; }
attack "a program outlives the failed test of its tool" ends_badly
interrupted() { leaving_tool 'sleep 300'; left_by kill -INT; }
attack "a program outlives Ctrl-C" interrupted
terminated() { leaving_tool 'sleep 300'; left_by kill -TERM; }
attack "a program outlives the end of its test by SIGTERM" terminated
out_of_time() {
  leaving_tool 'sleep 300'
  cue tool test leave --timeout 2s > "$workspace/said" 2>&1 && return 1
  until_true none_lives || { echo "something lives on"; return 1; }
  tail -n 1 "$workspace/said"
}
attack "a program outlives a test that was out of time" out_of_time
nobody_reads() {
  leaving_tool 'while sleep 0.1; do echo more; done'
  own_it
  in_workspace tool test leave --timeout 1m 2> /dev/null | head -n 1
  until_true none_lives || { echo "something lives on"; return 1; }
  echo "nothing is left of it"
}
attack "a program outlives a test whose output nobody reads" nobody_reads

# JSON in which a key stands twice is refused by its name: `twice COMMAND…`.
twice() {
  local said
  said=$("$@" 2>&1) && { echo "went well: $said"; return 1; }
  grep -F 'stands twice in one object' <<< "$said"
}
twice_input() {
  fresh leaks
  printf 'inputs: {who: {type: object}}\nsteps:\n  - {id: a, run: "true"}\n' > "$workspace/flow.yaml"
  twice cue run flow.yaml --headless -i 'who={"name": "ann", "name": "root"}'
}
attack "an input in which a key stands twice" twice_input
twice_output() {
  fresh leaks
  printf 'steps:\n  - id: a\n    outputs: {who: object}\n    run: |\n      echo %s >> "$CUELIGHT_OUTPUT"\n' "'who={\"name\": \"ann\", \"name\": \"root\"}'" > "$workspace/flow.yaml"
  twice cue run flow.yaml --headless
}
attack "an output in which a key stands twice" twice_output
twice_in_a_question() {
  fresh leaks
  printf '{"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls", "command": "rm -rf /"}, "session_id": "s", "cwd": "/"}' > "$workspace/question"
  asked() { cue hook claude-code --timeout 1s --workspace "$workspace" < "$workspace/question"; }
  twice asked
}
attack "an agent's question in which a key stands twice" twice_in_a_question
twice_in_a_receipt() {
  fresh leaks
  printf '{"kind": "cuelight receipt", "note": "", "note": "x"}' > "$workspace/receipt.json"
  twice cue audit verify receipt.json
}
attack "a receipt in which a key stands twice" twice_in_a_receipt

# The receipt of a yes says on its outside that it is of another gate, run or log.
relabelled() {
  local name said
  fresh leaks
  printf 'steps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n' > "$workspace/flow.yaml"
  (cue run flow.yaml --headless > /dev/null 2>&1 < /dev/null &)
  until_true cue approve g-1 && until_true cue audit receipt g-1 -o receipt.json && cue audit verify receipt.json > /dev/null || return 1
  for name in gate run database; do
    sed -E "0,/\"$name\": /s/(\"$name\": \"[^\"]*)[0-9a-f]\"/\1x\"/; s/(g|r)-x\"/\1-2\"/" "$workspace/receipt.json" > "$workspace/other.json"
    said=$(cue audit verify other.json 2>&1) && { echo "$name: $said"; return 1; }
    grep "its $name" <<< "$said" || { echo "$said"; return 1; }
  done
}
attack "a receipt that is said to be of another gate, run or log" relabelled

unset_secret() {
  fresh leaks
  printf 'secrets: [NOSUCH]\nsteps:\n  - {id: a, run: touch ran}\n  - {id: b, needs: [a], env: {T: "${{ secrets.NOSUCH }}"}, run: "true"}\n' > "$workspace/flow.yaml"
  said=$(cue run flow.yaml --headless 2>&1) && return 1
  [ ! -e "$workspace/ran" ] && grep 'secret NOSUCH is not set' <<< "$said"
}
attack "a run begins whose secret is not set" unset_secret

own_ignore() {
  fresh leaks
  command -v git > /dev/null || absent git
  printf 'steps:\n  - {id: a, run: "true"}\n' > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1
  (cd "$workspace" && git init -q . && git add -A && ! git ls-files | grep cuelight) || return 1
  (cd "$workspace" && git add -f .cuelight/keys)
  local said
  said=$(cue doctor 2>&1)
  grep 'git tracks' <<< "$said"
}
attack "git add -A takes the key and the log" own_ignore

own_directories() {
  local path said
  for path in .git/hooks/pre-commit .cuelight/config.toml below/.git/config below/../.cuelight/x; do
    fresh leaks
    mkdir -p "$workspace/.git/hooks" "$workspace/below/.git"
    said=$(cue tool test file.write --with "path=$path" --with text=x --really 2>&1) && { echo "wrote $path: $said"; return 1; }
  done
  tail -n 1 <<< "$said"
}
attack "a tool writes into .git or .cuelight" own_directories

any_variable() {
  fresh leaks; mkdir -p "$workspace/.cuelight"; chmod go-rwx "$workspace/.cuelight"
  printf '[traces]\nendpoint = "http://127.0.0.1:9/"\nheaders = {x = "HOME"}\n' > "$workspace/.cuelight/config.toml"
  printf 'steps:\n  - {id: a, run: "true"}\n' > "$workspace/flow.yaml"
  said=$(cue run flow.yaml --headless 2>&1) && { echo "$said"; return 1; }
  grep 'secret HOME is not set' <<< "$said"
}
attack "traces take any variable along" any_variable

another_user() {
  fresh leaks
  command -v setpriv > /dev/null && [ "$(id -u)" -eq 0 ] || absent "setpriv, or root,"
  printf 'steps:\n  - {id: a, run: "true"}\n' > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1
  chmod 755 "$scratch" "$workspace"
  local said
  said=$(cd "$workspace" && setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" "$program" runs 2>&1) && return 1
  grep 'belongs to' <<< "$said"
}
attack "another user looks into the workspace" another_user

# A terminal gets no byte that moves it, from any command that prints JSON.
raw_in_json() {
  fresh leaks
  printf 'name: "odd"\nsteps:\n  - id: a\n    run: |\n      printf "a\\302\\2331;31mb\\342\\200\\256c\\n"; echo "x=$(printf "a\\302\\2331;31mb\\342\\200\\256c")" >> "$CUELIGHT_OUTPUT"; exit 3\n' > "$workspace/flow.yaml"
  cue run flow.yaml --headless > /dev/null 2>&1
  local command said
  for command in "show r-1 --json" "events r-1 --json" "errors --json" "audit --json --all" "audit export"; do
    said=$(cd "$workspace" && script -qec "$program $command" /dev/null < /dev/null)
    ! grep -qaP '\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]' <<< "$said" || { echo "$command: raw"; return 1; }
  done
  echo "all of it stands as \\u…"
}
attack "JSON on a terminal moves it" raw_in_json

named_artifact() {
  fresh
  cat > "$workspace/w.yaml" << 'END'
name: w
secrets: [TOK]
steps:
  - {id: a, run: 'mkdir art; echo hi > "art/$T"', env: {T: "${{ secrets.TOK }}"}, artifacts: ["art/*"]}
END
  (cd "$workspace" && env -i TOK=Kq7xZp-93hTmW2vYbLr8 PATH="$PATH" HOME="$scratch" LC_ALL=C.UTF-8 "$program" run w.yaml --headless) > "$workspace/said" 2>&1
  if grep -qa Kq7xZp-93 "$workspace"/said "$workspace"/.cuelight/cuelight.db*; then echo "the log has it"; return 1; fi
  cue error | grep -o 'could not keep.*'
}
attack "the name of an artifact is a secret" named_artifact

# A checkout whose own configuration names programs.
checkout() {
  fresh
  command -v git > /dev/null || absent git
  (
    cd "$workspace" && mkdir repo && cd repo && git init -q .
    git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x
    printf '#!/bin/sh\ntouch %s/ran\ncat\n' "$workspace" > ../evil.sh && chmod +x ../evil.sh
    printf '[filter "x"]\n\tclean = %s/evil.sh\n[tag]\n\tgpgSign = true\n[gpg]\n\tprogram = %s/evil.sh\n[user]\n\tname = a\n\temail = a@b\n' \
      "$workspace" "$workspace" >> .git/config
    echo '* filter=x' > .gitattributes
    echo abc > a
    git update-index --add --cacheinfo "100644,$(git hash-object --no-filters -w a),a"
    touch -d yesterday a
  ) > /dev/null 2>&1
  rm -f "$workspace/ran"
}
tool_of_git() { # TOOL WITH
  checkout
  printf 'name: w\nsteps:\n  - {id: a, uses: %s, with: %s}\n' "$1" "$2" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/said" 2>&1
  if [ -e "$workspace/ran" ]; then echo "a program of the checkout ran"; return 1; fi
}
status_of_a_checkout() { tool_of_git git.status@1 '{directory: repo}' && cue logs r-1 a 2>&1 | grep -o 'could not look: the checkout names programs'; }
tag_of_a_checkout() { tool_of_git git.tag@1 '{directory: repo, tag: v1}' && echo "tagged without it"; }
attack "git.status in a checkout that names a filter" status_of_a_checkout
attack "git.tag in a checkout that names a program to sign with" tag_of_a_checkout

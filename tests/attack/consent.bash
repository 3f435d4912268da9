# Approved is not what runs: a file or a directory is put in the place of another between the question and the yes. And
# an ask that is said to be seen to its end while some of its lines were on no screen.

# A script that leaves its word in the file `ran`.
leaves() { # PATH WORD [FIRST-LINE]
  printf '%s\necho %s >> "${RAN:-ran}"\n' "${3:-#!/bin/sh}" "$2" > "$workspace/$1"
  chmod +x "$workspace/$1"
}

engine_of() { tr -dc 0-9 < "$workspace/.cuelight/lock"; }
is_asked() { cue gates | grep -q g-1; }
is_answered() { [ -s "$workspace/ran" ] || cue gates --show g-1 | grep -q 'asked again'; }

# Runs w.yaml, calls the swap once the gate asks, and says yes. Then $ran holds the word that was left, and $anew the line of a
# gate that asks anew: SWAP.
says_yes_after() {
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  "$1"
  cue approve g-1 > /dev/null
  until_true is_answered || { cat "$workspace/engine.log"; return 1; }
  ran=$(cat "$workspace/ran" 2> /dev/null) anew=$(cue gates --show g-1 | grep 'asked again')
  kill "$(engine_of)" 2> /dev/null
  wait
}

# Runs a step behind a gate that changes between question and yes: STEP SWAP.
swapped() {
  local ran anew
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - {id: s, needs: g, %s}\n' "$1" > "$workspace/w.yaml"
  says_yes_after "$2" || return 1
  [ -z "$ran" ] || { echo "it ran: $ran"; return 1; }
  echo "$anew"
}

put_evil() { leaves w.sh evil; }
nothing() { :; }

behind_options() { fresh; leaves w.sh good; swapped 'run: ./w.sh, shell: "bash -eu"' put_evil; }
behind_timeout() { fresh; leaves w.sh good; swapped 'run: timeout 5 ./w.sh' put_evil; }
behind_env() { fresh; leaves w.sh good; swapped 'run: env A=1 ./w.sh' put_evil; }
behind_cd() { fresh; leaves w.sh good; swapped 'run: cd . && ./w.sh' put_evil; }
behind_a_variable() { fresh; leaves w.sh good; swapped 'run: ". $LIB", env: {LIB: ./w.sh}' put_evil; }
behind_bash_and_options() { fresh; leaves w.sh good; chmod -x "$workspace/w.sh"; swapped 'run: bash -e -u ./w.sh' put_evil; }

behind_bash_env() { fresh; printf 'echo good >> ran\n' > "$workspace/w"; swapped 'run: "true", env: {BASH_ENV: ./w}' plain_evil; }
behind_an_action() { fresh; leaves w.sh good; swapped 'run: "tar -cf /dev/null w.yaml --checkpoint=1 --checkpoint-action=exec=./w.sh"' put_evil; }
behind_awk() { fresh; printf 'BEGIN { print "good" >> "ran" }\n' > "$workspace/w"; swapped 'run: awk -f w' evil_awk; }
plain_evil() { printf 'echo evil >> ran\n' > "$workspace/w"; }
evil_awk() { printf 'BEGIN { print "evil" >> "ran" }\n' > "$workspace/w"; }

evil_module() { printf 'open("ran", "a").write("evil")\n' > "$workspace/shop/ship.py"; }
behind_a_module() {
  fresh
  mkdir "$workspace/shop"
  printf 'open("ran", "a").write("good")\n' > "$workspace/shop/ship.py"
  swapped 'run: python3 -m shop.ship' evil_module
}
more_evil() { leaves jobs/2 evil; }
behind_find() { fresh; mkdir "$workspace/jobs"; leaves jobs/1 good; swapped 'run: "find jobs -type f -exec {} \\;"' more_evil; }
behind_run_parts() { fresh; mkdir "$workspace/jobs"; leaves jobs/1 good; swapped 'run: run-parts jobs' more_evil; }
behind_braces() { fresh; leaves w.sh good; swapped 'run: "./{w,x}.sh || true"' put_evil; }
evil_perl() { printf 'system("echo evil >> ran");1;\n' > "$workspace/lib/W.pm"; }
behind_perl5lib() {
  fresh
  mkdir "$workspace/lib"
  printf 'system("echo good >> ran");1;\n' > "$workspace/lib/W.pm"
  swapped 'run: "perl -e \"use W\"", env: {PERL5LIB: lib}' evil_perl
}

evil_recipe() { printf 'ship:\n\techo evil >> ran\n' > "$workspace/Makefile"; }
behind_make() {
  command -v make > /dev/null || absent make
  fresh
  printf 'ship:\n\techo good >> ran\n' > "$workspace/Makefile"
  swapped 'run: make ship' evil_recipe
}

behind_a_computed_matrix() { fresh; leaves w.sh good; swapped "matrix: {x: \"\${{ fromJSON('[1]') }}\"}, run: ./w.sh" put_evil; }

evil_shiv() { printf '#!/bin/sh\necho evil >> ran\n' > "$workspace/tools/shiv"; }
behind_env_in_the_first_line() {
  fresh
  mkdir "$workspace/tools"
  printf '#!/bin/sh\necho good >> ran\n' > "$workspace/tools/shiv"
  chmod +x "$workspace/tools/shiv"
  leaves w.sh good '#!/usr/bin/env shiv'
  swapped 'run: ./w.sh, env: {PATH: "./tools:/usr/bin:/bin"}' evil_shiv
}

turn_link() { ln -sfn evil "$workspace/current"; }
in_a_turned_directory() {
  fresh
  mkdir "$workspace/good" "$workspace/evil"
  echo good > "$workspace/good/word"
  echo evil > "$workspace/evil/word"
  ln -s good "$workspace/current"
  swapped 'run: cat word >> ../ran, working-directory: current' turn_link
}

other_directory() { rm -r "$workspace/place"; mkdir "$workspace/place"; echo evil > "$workspace/place/word"; }
in_a_new_directory() {
  fresh
  mkdir "$workspace/place"
  echo good > "$workspace/place/word"
  swapped 'run: cat word >> ../ran, working-directory: place' other_directory
}

# A step behind the gate writes to what takes back, or finds out about, one that ran before it: UNDO-OR-FALLBACK SWAPPED-FILE.
swaps_behind() {
  local ran
  printf 'name: w\non-failure: compensate\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n%s\n' "$1" > "$workspace/w.yaml"
  says_yes_after nothing || return 1
  case "$ran" in *evil*) echo "it ran: $ran"; return 1 ;; esac
  cue error --run r-1 | grep -o 'what was approved has changed.*' || { cue error --run r-1; cat "$workspace/engine.log"; return 1; }
}
evil='printf "#!/bin/sh\\necho evil >> ran\\n" >'
undo_that_a_step_swaps() {
  fresh
  leaves undo.sh good
  swaps_behind "  - {id: s, needs: g, run: 'true', undo: cd . && ./undo.sh}
  - {id: t, needs: s, run: '$evil undo.sh; echo t >> ran; false'}"
}
undo_that_gets_one_more_file() {
  fresh
  mkdir "$workspace/undo.d"
  leaves undo.d/1 good
  swaps_behind "  - {id: s, needs: g, run: 'true', undo: run-parts undo.d}
  - {id: t, needs: s, run: '$evil undo.d/2; chmod +x undo.d/2; echo t >> ran; false'}"
}
undo_behind_braces() {
  fresh
  leaves back.sh good
  swaps_behind "  - {id: s, needs: g, run: 'true', undo: \"cd . && ./{back,x}.sh\"}
  - {id: t, needs: s, run: '$evil back.sh; echo t >> ran; false'}"
}
attack "the undo of a step, swapped by the next one" undo_that_a_step_swaps
attack "the undo of a step, given one more file to start" undo_that_gets_one_more_file
attack "the undo of a step behind braces, swapped" undo_behind_braces

attack "a script behind options, swapped" behind_bash_and_options
attack "a script in a shell with options, swapped" behind_options
attack "a script behind timeout, swapped" behind_timeout
attack "a script behind env, swapped" behind_env
attack "a script behind cd, swapped" behind_cd
attack "a script that a variable names, swapped" behind_a_variable
attack "a recipe of make, swapped" behind_make
attack "a script of a matrix that is computed, swapped" behind_a_computed_matrix
# A step further on, of which one more file comes before the one that was approved.
put_before() { printf 'ship:\n\techo evil >> ran\n' > "$workspace/GNUmakefile"; }
later_recipe() {
  command -v make > /dev/null || absent make
  fresh
  printf 'ship:\n\techo good >> ran\n' > "$workspace/Makefile"
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - {id: a, needs: g, run: sleep 0}\n  - {id: s, needs: a, run: make ship}\n' > "$workspace/w.yaml"
  local ran anew
  says_yes_after put_before || return 1
  [ -z "$ran" ] || { echo "it ran: $ran"; return 1; }
  echo "$anew"
}
later_tool() {
  fresh
  leaves tool.sh good
  mkdir -p "$workspace/.cuelight/tools"
  printf 'name: tool\nversion: 1.0.0\ndescription: does it\ncommand: [./tool.sh]\neffect: once\nrisk: reversible\n' > "$workspace/.cuelight/tools/tool.yaml"
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - {id: a, needs: g, run: sleep 0}\n  - {id: s, needs: a, uses: tool@1}\n' > "$workspace/w.yaml"
  local ran anew
  says_yes_after put_evil_tool || return 1
  [ -z "$ran" ] || { echo "it ran: $ran"; return 1; }
  echo "$anew"
}
put_evil_tool() { leaves tool.sh evil; }
behind_brackets() { fresh; leaves w.sh good; swapped 'run: "./[w].sh"' put_evil; }
behind_a_default() { fresh; leaves w.sh good; swapped 'run: "${SCRIPT:-./w.sh}"' put_evil; }
in_a_search_path() { fresh; mkdir "$workspace/bin"; leaves bin/dep good; swapped 'run: "PATH=$PWD/bin:$PATH; dep"' put_evil_dep; }
put_evil_dep() { leaves bin/dep evil; }
attack "a recipe that comes before the one of a step further on" later_recipe
attack "the program of a tool further on, swapped" later_tool
attack "a name in brackets, swapped" behind_brackets
attack "a name that is the default of a variable, swapped" behind_a_default
attack "a program that a search path in the text finds, swapped" in_a_search_path
attack "a module of python, swapped" behind_a_module
attack "files that find starts, one more of them" behind_find
attack "files that run-parts starts, one more of them" behind_run_parts
attack "a name that braces make, swapped" behind_braces
attack "a module that PERL5LIB leads to, swapped" behind_perl5lib
attack "a file that BASH_ENV names, swapped" behind_bash_env
attack "a script inside an option of tar, swapped" behind_an_action
attack "a program for awk, swapped" behind_awk
attack "an interpreter found by env, swapped" behind_env_in_the_first_line
attack "a working directory that is a turned link" in_a_turned_directory
attack "another working directory of the same name" in_a_new_directory

# Each word of a call is a file that is swapped between question and yes, wherever the word stands: NAME FILE STEP.
word_attack() {
  swapped_word=$2 swapped_step=$3
  attack "$1, swapped" word_that_is_swapped
}
write_word() {
  case "$swapped_step" in
    *python3*) printf 'open("%s/ran", "a").write("%s")\n' "$workspace" "$1" ;;
    *perl*) printf 'system("echo %s >> %s/ran");\n' "$1" "$workspace" ;;
    *) printf '#!/bin/sh\necho %s >> %s/ran\n' "$1" "$workspace" ;;
  esac > "$workspace/$swapped_word"
  chmod +x "$workspace/$swapped_word"
}
evil_words() { write_word evil; }
word_that_is_swapped() {
  fresh
  mkdir -p "$workspace/$(dirname "./$swapped_word")"
  write_word good
  swapped "$swapped_step" evil_words
}
word_attack "a script behind -I of python" w 'run: python3 -I w'
word_attack "a script behind -O of python" w 'run: python3 -sEO w'
word_attack "a script behind -W of perl" w 'run: perl -W w'
word_attack "a text before a variable, in bash -c" w.sh 'run: "cd .; bash -c \"./w.sh $LC_ALL\""'
word_attack "a text before a command, in eval" w.sh 'run: "eval \"./w.sh $(id -u)\""'
word_attack "a text before a variable, in trap" w.sh 'run: "trap \"./w.sh $?\" EXIT"'
word_attack "a script in a directory that is a number" 2024/w.sh 'run: cd 2024 && ./w.sh'
word_attack "a script in a directory behind cd --" sub/w.sh 'run: cd -- sub && ./w.sh'
word_attack "a script in a directory behind cd -P" sub/w.sh 'run: cd -P sub && ./w.sh'
word_attack "a script in the fifth directory" e/w.sh 'run: "mkdir -p a b c d; (cd a); (cd b); (cd c); (cd d); (cd e && ./w.sh)"'
word_attack "a script in a directory of CDPATH" sub/d/w.sh 'run: "CDPATH=sub; cd d; ./w.sh"'
word_attack "a script whose name is a number" 1 'run: cd .; bash 1'
word_attack "a script whose name is punctuation" _ 'run: cd .; ./_'
word_attack "a script whose name is a word of the shell" set 'run: cd .; bash set'
word_attack "a script behind a long path" w.sh "run: \"cd .; $(printf './%.0s' {1..520})w.sh\""
word_attack "a script below ~+" w.sh 'run: "~+/w.sh"'
word_attack "a script with a line end in its name" $'a\nb' 'run: "cd .; bash \"a\nb\""'
word_attack "a script behind --" -w 'run: cd .; bash -- -w'
word_attack "a script below .cuelight" .cuelight/w.sh 'run: cd . && bash .cuelight/w.sh'
word_attack "a program on a PATH with an expression" bin/dep "run: dep, env: {PATH: \"./\${{ 'bin' }}:/usr/bin:/bin\"}"
word_attack "a file of BASH_ENV with an expression" w "run: 'true', env: {BASH_ENV: \"./\${{ 'w' }}\"}"
word_attack "a script in a variable with an expression" w "run: 'bash \"\$S\"', env: {S: \"./\${{ 'w' }}\"}"
word_attack "a pattern in the place of a directory" sub/w.sh 'run: "./s?b/w.sh"'
word_attack "a pattern with two parts, in a loop" sub/w.sh 'run: "for f in */*.sh; do bash $f; done"'
word_attack "a class of letters in a pattern" w.sh 'run: "cd .; ./[[:alpha:]].sh"'
word_attack "a pattern that takes every file" j/w 'run: "for f in j/*; do bash $f; done"'
word_attack "a program among all files" j/w 'run: "for f in j/*; do $f; done; echo *"'
word_attack "a command in the default of a variable" w.sh 'run: "echo ${X:-$(./w.sh)}"'
word_attack "a command in nested backquotes" w.sh 'run: "echo `echo \\`./w.sh\\``"'
word_attack "a script behind a here-document with a quote" w.sh 'run: "cat > /dev/null << E\nit is 6\" wide $HOME/x\nE\n./w.sh \"$LC_ALL\""'
word_attack "a variable that is appended to" w.sh 'run: "X=w; X+=.sh; ./$X"'
word_attack "a variable with a second value" w.sh 'run: "X=w; f() { X=q; }; ./$X.sh"'
word_attack "a variable of a loop" w.sh 'run: "for n in w; do ./$n.sh; done"'
word_attack "a name in quotes of ANSI C" w.sh "run: \"cd .; \$'./\\\\x77.sh'\""
word_attack "a name in an extended pattern" w.sh 'run: "shopt -s extglob; eval \"./@(w).sh\""'

word_attack "a script in the home behind cd" home/w.sh 'run: "cd; ./w.sh", env: {HOME: home}'
word_attack "a script in the home behind cd ~" home/w.sh 'run: "cd ~; ./w.sh", env: {HOME: home}'
word_attack "a script in the home that HOME names" home/w.sh 'run: "cd \"$HOME\" && ./w.sh", env: {HOME: home}'
word_attack "a script in a home that the text sets" sub/w.sh 'run: "HOME=sub; cd; ./w.sh"'
word_attack "a script in a default that is assigned" sub/w.sh 'run: ": ${N:=w.sh}; ./sub/$N"'
word_attack "a script that a word of a function names" sub/w.sh 'run: "f() { ./sub/$1; }; f w.sh"'
word_attack "a script below the working directory of a process" w.sh 'run: "cd .; /dev/fd/../cwd/w.sh"'
word_attack "a module of Python in a list" shop.py 'run: "python3 -c \"import os, shop\""'
word_attack "a module of Python in a here-document" shop/ship.py 'run: "python3 - << E\nfrom shop import ship\nE"'
word_attack "a module of Python that its library loads" random.py 'run: "python3 -c \"import tempfile\" || true"'
word_attack "a module of Perl" lib/W.pm 'run: "perl -Ilib -e \"use W\" || true"'

# A script in the home that the engine itself has.
script_in_the_home() {
  local result
  fresh
  # The home of the engine is the scratch directory.
  swapped_word=../w.sh swapped_step=""
  write_word good
  swapped 'run: "cd && ./w.sh"' evil_words
  result=$?
  rm -f "$scratch/w.sh"
  return "$result"
}
attack "a script in the home of the engine, swapped" script_in_the_home

# Two names that are no text look alike once they are shown.
name_of_bytes() { printf 'echo %s >> %s/ran\n' "$1" "$workspace" > "$workspace/$(printf 'a\377.sh')"; }
evil_bytes() { name_of_bytes evil; }
names_that_look_alike() {
  fresh
  printf 'true\n' > "$workspace/$(printf 'a\376.sh')"
  name_of_bytes good
  swapped 'run: "for f in *.sh; do bash \"$f\"; done"' evil_bytes
}
attack "a script whose name looks like another one, swapped" names_that_look_alike

# A name that is known only when it runs is told, and so is code that an interpreter gets from elsewhere: NAME PART STEP.
told_attack() {
  told_part=$2 told_step=$3
  attack "$1, and nobody is told" name_that_is_told
}
name_that_is_told() {
  fresh
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?}}\n  - {id: s, needs: g, %s}\n' "$told_step" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue gates --show g-1 | tr -s ' \n' ' ' | grep -o "$told_part" || { cue gates --show g-1; kill "$(engine_of)"; return 1; }
  kill "$(engine_of)" 2> /dev/null
  wait
}
told_attack "a name that a shell computes" 'known only when it runs' 'run: "./sub/$(echo w).sh"'
told_attack "a name in an array" 'known only when it runs' 'run: "a=(w.sh); ./sub/${a[0]}"'
told_attack "a directory that is computed" 'known only when it runs' 'run: "cd \"$(dirname w/x)\"; ./w.sh"'
told_attack "commands from a pipe" 'reads from its input' 'run: "cat list | bash"'
told_attack "a module that code computes" 'by a computed name' 'run: "python3 -c \"__import__(chr(119))\""'
told_attack "variables that double themselves" "too much to be read" "run: \"v0=xxxx; $(for at in {0..59}; do printf "v%d=\$v%d\$v%d;" $((at + 1)) $at $at; done) ./\$v60\""

# A script outside the workspace is bound, and data there is told.
shared_word() { printf 'echo %s >> %s/ran\n' "$1" "$workspace" > "$shared/w.sh"; }
evil_shared() { shared_word evil; }
script_in_shared_memory() {
  local shared result
  fresh
  shared=$(mktemp -d /dev/shm/attack.XXXXXX)
  shared_word good
  swapped "run: cd . && bash $shared/w.sh" evil_shared
  result=$?
  rm -r "$shared"
  return "$result"
}
data_outside() {
  fresh
  mkdir "$workspace.out"
  echo 'echo good >> ran' > "$workspace.out/deploy"
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?}}\n  - {id: s, needs: g, run: cat %s/deploy | sh}\n' "$workspace.out" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue gates --show g-1 | grep -o 'deploy NOT CHECKED' || { cue gates --show g-1; kill "$(engine_of)"; return 1; }
  kill "$(engine_of)" 2> /dev/null
  wait
}
attack "a script in shared memory, swapped" script_in_shared_memory
attack "data outside the workspace that nobody is told of" data_outside

# A write through a mapping of memory leaves no new time on the file: a hash that is remembered by its times is an old one.
write_through_a_mapping() {
  command -v python3 > /dev/null || absent python3
  fresh
  printf 'echo good >> ran # \n' > "$workspace/w.sh"
  cat > "$workspace/w.yaml" << 'END'
name: w
steps:
  - {id: g, gate: {prompt: go?, undo-window: 0s}}
  - {id: s, needs: g, run: bash w.sh}
  - {id: h, needs: s, gate: {prompt: go on?, undo-window: 0s}}
  - {id: t, needs: h, run: bash w.sh}
END
  # The first write makes the page writable; the second one comes when it is told to.
  python3 - "$workspace" << 'END' &
import mmap, os, sys, time
os.chdir(sys.argv[1])
file = open("w.sh", "r+b")
page = mmap.mmap(file.fileno(), 0)
page[-2:-1] = b" "
open("mapped", "w").close()
while not os.path.exists("write"):
    time.sleep(0.05)
page[5:9] = b"evil"
open("written", "w").close()
END
  until_true test -e "$workspace/mapped" || return 1
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  # A hash is remembered once the file is older than a moment.
  sleep 3
  cue approve g-1 > /dev/null
  until_true eval 'cue gates | grep -q g-2' || { cat "$workspace/engine.log"; return 1; }
  touch "$workspace/write"
  until_true test -e "$workspace/written" || return 1
  cue approve g-2 > /dev/null
  until_true eval 'grep -q evil "$workspace/ran" || cue gates --show g-2 | grep -q "asked again"'
  local ran anew
  ran=$(cat "$workspace/ran") anew=$(cue gates --show g-2 | grep 'asked again')
  kill "$(engine_of)" 2> /dev/null
  wait
  case "$ran" in *evil*) echo "it ran: $ran"; return 1 ;; esac
  echo "$anew"
}
attack "a script that is written through a mapping" write_through_a_mapping

# The same with `consent: snapshot`: the swap changes the workspace, and the captured bytes run. Steps write into $RAN, in the
# workspace: STEPS SWAP.
captured() {
  local ran anew
  printf 'name: w\nenv: {RAN: %s/ran}\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s, consent: snapshot}}\n%s\n' \
    "$workspace" "$1" > "$workspace/w.yaml"
  says_yes_after "$2" || return 1
  case "$ran" in
    good) echo "the captured bytes ran" ;;
    "") echo "$anew" ;;
    *) echo "it ran: $ran"; return 1 ;;
  esac
}
runs_good() { [ "$(captured "$@" | tail -n 1)" = "the captured bytes ran" ] && echo "the captured bytes ran"; }
step() { printf '  - {id: s, needs: g, %s}' "$1"; }

snapshot_of_a_script() { fresh; leaves w.sh good; runs_good "$(step 'run: timeout 5 ./w.sh')" put_evil; }
snapshot_of_a_sourced_file() { fresh; leaves w.sh good; runs_good "$(step 'run: ". ./w.sh"')" put_evil; }
snapshot_of_a_computed_name() { fresh; leaves w.sh good; runs_good "$(step 'run: ". ./$(echo w).sh"')" put_evil; }
evil_word() { echo evil > "$workspace/word"; }
snapshot_of_a_file_that_is_read() {
  fresh
  echo good > "$workspace/word"
  printf 'cat word >> "$RAN"\n' > "$workspace/r.sh"
  runs_good "$(step 'run: bash -eu r.sh')" evil_word
}
snapshot_of_a_recipe() {
  command -v make > /dev/null || absent make
  fresh
  printf 'ship:\n\techo good >> $$RAN\n' > "$workspace/Makefile"
  runs_good "$(step 'run: make ship')" evil_recipe
}
snapshot_of_an_interpreter() {
  fresh
  mkdir "$workspace/tools"
  printf '#!/bin/sh\necho good >> "$RAN"\n' > "$workspace/tools/shiv"
  chmod +x "$workspace/tools/shiv"
  leaves w.sh good '#!/usr/bin/env shiv'
  runs_good "$(step 'run: ./w.sh, env: {PATH: "./tools:/usr/bin:/bin"}')" evil_shiv
}
snapshot_of_a_turned_directory() {
  fresh
  mkdir "$workspace/good" "$workspace/evil"
  echo good > "$workspace/good/word"
  echo evil > "$workspace/evil/word"
  ln -s good "$workspace/current"
  runs_good "$(step 'run: cat word >> "$RAN", working-directory: current')" turn_link
}
# A step behind the gate writes to all that was captured; the next one has to notice.
snapshot_that_a_step_writes_to() {
  fresh
  leaves w.sh good
  local write='for f in '"$workspace"'/.cuelight/snapshots/*/*/*; do [ "${f##*/}" = manifest ] || printf "echo evil >> $RAN" > "$f"; done'
  captured "  - {id: t, needs: g, run: '$write'}
  - {id: s, needs: [g, t], run: timeout 5 ./w.sh}" nothing
}
write_to_the_list() {
  sed -i 's/w.sh/evil.sh/' "$workspace"/.cuelight/snapshots/*/*/manifest
}
snapshot_whose_list_is_changed() { fresh; leaves w.sh good; leaves evil.sh evil; captured "$(step 'run: timeout 5 ./w.sh')" write_to_the_list; }

snapshot_over_the_limit() {
  fresh
  mkdir "$workspace/build"
  (cd "$workspace/build" && seq 20001 | xargs touch)
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, consent: snapshot}}\n  - {id: s, needs: g, run: echo evil >> ran}\n' > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1
  if is_asked || [ -e "$workspace/ran" ]; then echo "somebody was asked"; return 1; fi
  cue error --run r-1 | grep -o 'could not capture.*' || { cue error --run r-1; return 1; }
}
link_that_leads_out() {
  fresh
  ln -s /etc/hostname "$workspace/out"
  printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, consent: snapshot}}\n  - {id: s, needs: g, run: cat out}\n' > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/engine.log" 2>&1 &
  until_true is_asked || { cat "$workspace/engine.log"; return 1; }
  cue gates --show g-1 | grep 'names *out NOT CHECKED' || { cue gates --show g-1; kill "$(engine_of)"; return 1; }
  kill "$(engine_of)" 2> /dev/null
  wait
}

attack "a script, with a snapshot" snapshot_of_a_script
attack "a file that a shell reads, with a snapshot" snapshot_of_a_sourced_file
attack "a name that a shell computes, with a snapshot" snapshot_of_a_computed_name
attack "a file that a script reads, with a snapshot" snapshot_of_a_file_that_is_read
attack "a recipe of make, with a snapshot" snapshot_of_a_recipe
attack "an interpreter found by env, with a snapshot" snapshot_of_an_interpreter
attack "a working directory that is a turned link, with a snapshot" snapshot_of_a_turned_directory
attack "a snapshot that a step writes to" snapshot_that_a_step_writes_to
attack "a snapshot whose list of files is changed" snapshot_whose_list_is_changed
attack "a snapshot over the limit" snapshot_over_the_limit
attack "a link that leads out of a snapshot" link_that_leads_out

# Reads an ask by its page key at each of some heights; each line of it has to have been on a screen before all was seen.
unseen_lines() {
  # What ends early leaves no terminal behind.
  trap stand_up EXIT
  fresh
  local word height line at seen
  for word in old new; do
    {
      printf 'name: w\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - id: s\n    needs: g\n    run: |\n'
      for line in 1 2 3 4 5 6; do printf '      : %s-%s\n' "$word" "$line"; done
    } > "$workspace/w.yaml"
    if [ "$word" = old ]; then
      cue run w.yaml --headless > /dev/null 2>&1 &
      until_true is_asked || return 1
      cue approve g-1 > /dev/null
      wait
    fi
  done
  cue run w.yaml --headless > /dev/null 2>&1 &
  until_true eval 'cue gates | grep -q g-2' || return 1
  local result="each line was on a screen first"
  for height in 21 22 23 24 25 26; do
    sit_down 80 "$height"
    sees 'Runs'
    key 3
    sees 'more lines|seen to its end'
    key Enter
    seen=""
    for at in 1 2 3 4 5 6; do
      sleep 0.3
      seen+=$(screen)
      if has 'seen to its end'; then break; fi
      key Space
    done
    has 'seen to its end' || result="at 80x$height the page key does not come to the end"
    grep -q 'CHANGED   ' <<< "$seen" || result="at 80x$height: seen to its end, and what changed since the last approval was on no screen"
  done
  kill "$(engine_of)" 2> /dev/null
  wait
  echo "$result"
  [ "$result" = "each line was on a screen first" ]
}

attack "an ask that is said to be seen to its end" unseen_lines

behind_a_frame() { # FRAME-KEYS
  local ran anew
  fresh
  leaves w.sh good
  printf 'name: sub\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n' > "$workspace/sub.yaml"
  printf 'name: w\nsteps:\n  - {id: s, %s}\n  - {id: ship, needs: s, run: ./w.sh}\n' "$1" > "$workspace/w.yaml"
  says_yes_after put_evil || return 1
  [ -z "$ran" ] || { echo "it ran: $ran"; return 1; }
  echo "$anew"
}
behind_a_called_workflow() { behind_a_frame "workflow: sub.yaml"; }
behind_a_matrix_of_workflows() { behind_a_frame "workflow: sub.yaml, matrix: {x: [a]}"; }
attack "a script behind a called workflow that ends with the gate" behind_a_called_workflow
attack "a script behind a matrix of called workflows that end with the gate" behind_a_matrix_of_workflows

unhashed() {
  fresh
  truncate -s 200G "$workspace/big"
  cat > "$workspace/w.yaml" << 'END'
name: w
steps: [{id: s, if: "${{ hashFiles('big') == '' }}", run: touch ran}]
END
  cue run w.yaml --headless > "$workspace/said" 2>&1
  [ ! -e "$workspace/ran" ] && cue error | grep -o 'could not hash big.*' | head -n 1
}
attack "a file too large to hash counts as no file" unhashed

# What the scripts that sit at the console share: a terminal of their own, keys in, screens out. Sourced, not run.
#
# A terminal is a tmux server under a socket that nobody else uses. Nothing is believed because time has passed: what is
# waited for is looked at again and again, with a limit. The pauses are the console's and the terminal's own: a dialog
# hears nothing in its first 350 ms, and Esc is told from Alt by what follows it at once.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/cuelight-walk.XXXXXX")
socket="" terminals=0
seconds_max=${WALK_SECONDS:-60}
columns=80 rows=24 walked=0

tm() { tmux -L "$socket" -f /dev/null "$@"; }

# Closes the terminal, whatever is in it.
stand_up() { [ -z "$socket" ] || tm kill-server 2> /dev/null; }

# The processes that work in this scratch directory.
inhabitants() {
  local place at
  for place in /proc/[0-9]*; do
    at=$(readlink "$place/cwd" 2> /dev/null)
    case "$at" in "$scratch"/*) echo "${place##*/}" ;; esac
  done
}

closed() {
  stand_up
  # Terminals that a subshell has opened: they bear the number of this script.
  local place signal
  for place in "${TMUX_TMPDIR:-/tmp}/tmux-$(id -u)/cuelight-walk-$$-"*; do
    [ -S "$place" ] || continue
    tmux -L "${place##*/}" kill-server 2> /dev/null
    rm -f "$place"
  done
  # What was left in the background goes, and has a moment to go by itself.
  for signal in TERM TERM TERM TERM KILL; do
    # shellcheck disable=SC2046 # several numbers
    kill -"$signal" $(inhabitants) 2> /dev/null || break
    sleep 0.3
  done
  for _ in 1 2 3 4 5; do rm -rf "$scratch" 2> /dev/null && break; sleep 0.2; done
}

# The program: named by the caller, else what `cargo build` makes.
find_program() {
  program=${CUELIGHT:-${CARGO_TARGET_DIR:-$here/target}/debug/cuelight}
  if [ ! -x "$program" ]; then
    (cd "$here" && cargo build --locked --quiet) || { echo "could not build the program; try cargo build" >&2; exit 2; }
  fi
  command -v tmux > /dev/null || { echo "skipped: tmux is not here (apt-get install tmux)"; exit 0; }
  trap closed EXIT
}

# A workspace that a script has written by hand is the script's own, unless it says `strangers=yes`.
own_it() {
  [ -z "${strangers:-}" ] && [ -d "$workspace/.cuelight" ] && [ ! -e "$workspace/.cuelight/id" ] || return 0
  local hash
  hash=$(in_workspace trust --json 2> /dev/null | grep '^  "hash"' | grep -o '[0-9a-f]\{64\}')
  [ -z "$hash" ] || in_workspace trust --own --accept "$hash" > /dev/null 2>&1
}

in_workspace() { (cd "$workspace" && env -i PATH="$PATH" HOME="$scratch" LC_ALL=C.UTF-8 "$program" "$@"); }

# A command of the program in the workspace, beside the screen.
cue() { own_it; in_workspace "$@"; }

# Opens a terminal of this size on a command of the program: COLUMNS ROWS ARGUMENTS…
sit_down() {
  own_it
  columns=$1 rows=$2
  shift 2
  # The shell stays and notes how the program ended: what tmux says of that is now and then empty.
  local line="env -i PATH='$PATH' HOME='$scratch' LC_ALL=C.UTF-8 TERM=tmux-256color ${variables:-} '$program' $*; echo \$? > '$scratch/ended'"
  rm -f "$scratch/ended"
  stand_up
  terminals=$(( terminals + 1 ))
  socket="cuelight-walk-$$-$terminals"
  tm new-session -d -s walk -x "$columns" -y "$rows" -c "$workspace" "$line" || fail "tmux could not open a terminal"
  tm set-option -g remain-on-exit on
  tm set-option -g status off > /dev/null
  tm set-option -s set-clipboard on
  tm resize-window -t walk -x "$columns" -y "$rows"
}

screen() { tm capture-pane -p -t walk 2> /dev/null; }
# The program, a child of the shell in the terminal.
pane_pid() {
  local shell pid
  shell=$(tm display-message -p -t walk '#{pane_pid}')
  read -r pid _ < "/proc/$shell/task/$shell/children"
  echo "$pid"
}
# How the program ended, as its shell says.
ended_with() { cat "$scratch/ended" 2> /dev/null; }
is_over() { [ "$(tm display-message -p -t walk '#{pane_dead}' 2> /dev/null)" = 1 ]; }

say() { printf '  %s\n' "$*"; walked=$(( walked + 1 )); }

fail() {
  printf '\nFAILED at %sx%s: %s\n' "$columns" "$rows" "$*"
  screen
  exit 1
}

# Keys as tmux names them; `literal` types a text.
key() { tm send-keys -t walk "$@"; }
literal() { tm send-keys -t walk -l -- "$1"; }

# Esc, and the moment that parts it from what follows: a terminal tells Alt by an Esc right before a key.
escape() { tm send-keys -t walk Escape; sleep 0.1; }

# Waits until the screen has a text: a regular expression, and what is waited for in words.
sees() {
  local deadline=$(( SECONDS + seconds_max ))
  until screen | grep -Eq -- "$1"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "${2:-waited for /$1/}"
  done
}

# Waits until a text is gone from the screen.
sees_no() {
  local deadline=$(( SECONDS + seconds_max ))
  while screen | grep -Eq -- "$1"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "${2:-waited for the end of /$1/}"
  done
}

has() { screen | grep -Eq -- "$1"; }

# The one pause: a dialog hears nothing before it has been on the screen for 350 ms.
settled() { sleep 0.45; }

# The door: who may answer at a gate, and who keeps whom out. A step tries to look like a person.

# A run in the background that waits at a gate while a step of it does what a script says. $workspace stands; `ways.sh` is the script.
gated() { # RISK SCRIPT
  fresh door
  printf '%s\n' "$2" > "$workspace/ways.sh"
  printf 'name: w\nsteps:\n  - id: ok\n    gate: {prompt: "Go on?", risk: %s, undo-window: 0s}\n  - {id: go, needs: [ok], run: touch passed}\n  - {id: leaves, run: bash ways.sh, on-error: continue}\n' \
    "$1" > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/run" 2>&1 &
  until_true gate_is_open
}
gate_is_open() { cue gates --json | grep -q '"open"'; }
# Ends the run, and says what a file says; fails when the guarded step has run.
held() { # FILE
  local said
  said=$(tail -n 1 "$workspace/$1")
  touch "$workspace/enough"
  [ ! -e "$workspace/passed" ] && gate_is_open || { echo "the gate was passed"; cat "$workspace/$1"; return 1; }
  cue cancel r-1 --reason done > /dev/null
  printf '%s\n' "$said"
}
orphan() {
  gated irreversible "export P='$program'
setsid -f env -i P='$program' sh -c 'sleep 0.5; \"\$P\" approve g-1 --ask \$(\"\$P\" gates --json | grep -o \"[0-9a-f]\{64\}\" | head -1) > said 2>&1; touch done'
until [ -e enough ]; do sleep 0.05; done"
  until_true test -e "$workspace/done" && held said
}
attack "an orphan of a step in a clean environment approves" orphan

# With every way to take the mark of a step off that a program without root's rights has.
killed() {
  gated irreversible "setsid -f env -i P='$program' G=\$PPID bash -c 'kill -9 \$G; ulimit -x unlimited; prlimit --pid \$\$ --locks=unlimited; unset G; sleep 0.3
    \"\$P\" approve g-1 --ask \$(\"\$P\" gates --json | grep -o \"[0-9a-f]\{64\}\" | head -1) > said 2>&1; touch done' 2> tried
until [ -e enough ]; do sleep 0.05; done"
  until_true test -e "$workspace/done" && held said
}
attack "a step kills its guard, and its orphan approves" killed

# Says hello as a console from a process that has ended, and asks who it is taken for.
hello() { # HOW
  cat > "$workspace/hello.new" <<'PERL'
use Socket; use POSIX ();
my ($how, $tries) = @ARGV; my %as;
for (1..$tries) {
  socket(S, PF_UNIX, SOCK_STREAM, 0);
  my $at = sockaddr_un(".cuelight/cuelight.sock");
  if ($how eq "reaped") { if (!fork) { connect(S, $at); POSIX::_exit(0) } wait }
  elsif ($how eq "zombie") { pipe R, W; if (!fork) { connect(S, $at); POSIX::_exit(0) } close W; <R> }
  else { connect(S, $at) }
  my $said = '{"hello":{"version":4,"program":"perl","seat":"console","after":0}}';
  syswrite S, pack("CN", 0, length $said) . $said;
  my $heard = ""; $SIG{ALRM} = sub { die "no answer" }; alarm 20;
  while (sysread S, my $more, 65536) { $heard .= $more; last if $heard =~ /"channel":"\w+"|wrong/ }
  $as{$heard =~ /"channel":"(\w+)"/ ? $1 : "nobody"}++; close S;
}
print join(", ", map { "$as{$_} of $tries greeted as $_" } sort keys %as), "\n";
PERL
  mv "$workspace/hello.new" "$workspace/hello.pl"
}

reaped() {
  gated reversible "until [ -e hello.pl ]; do sleep 0.05; done
env -i perl hello.pl reaped 40 > said 2>&1; env -i perl hello.pl zombie 40 >> said 2>&1; touch done
until [ -e enough ]; do sleep 0.05; done"
  hello; until_true test -e "$workspace/done"
  grep -Eq 'console|command|socket' "$workspace/said" && { cat "$workspace/said"; touch "$workspace/enough"; return 1; }
  held said
}
attack "a connection whose process was reaped is greeted as a person" reaped

spelling() {
  gated reversible "ln -s \"\$PWD\" ../link-\$\$
kill -9 \$(cat .cuelight/lock) 2> /dev/null; cd ../link-\$\$
for i in 1 2 3; do '$program' --workspace \"\$PWD\" approve g-1 > said 2>&1 || true; done
touch done; until [ -e enough ]; do sleep 0.05; done"
  until_true test -e "$workspace/done" && held said
}
attack "an engine that a step starts by another spelling of the path takes its approval" spelling

told() {
  gated irreversible "until [ -e enough ]; do sleep 0.05; done"
  local ask show name
  show=$(cue gates --show g-1; cue gates --json)
  name=$(grep -o 'END OF THE ASK *[0-9a-z]*-[0-9a-z]*' <<< "$show" | grep -o '[0-9a-z]*$')
  [ -n "$name" ] || { echo "no ask was shown"; return 1; }
  if cue approve g-1 --ask "${name#*-}" > "$workspace/said" 2>&1; then cat "$workspace/said"; return 1; fi
  touch "$workspace/enough"; cue cancel r-1 --reason done > /dev/null
  grep -q '"code"' <<< "$show" && { echo "the inbox tells the code"; return 1; }
  echo "no code in the inbox, and half of the hash is none: $(head -n 1 "$workspace/said")"
}
attack "the code that high risk asks for is read in gates --show" told

# Two hundred say hello, the others half of it or nothing.
crowd() { # CONNECTIONS
  gated reversible "until [ -e crowd.pl ]; do sleep 0.05; done; perl crowd.pl $1"
  cat > "$workspace/crowd.new" <<'PERL'
use Socket; $SIG{PIPE} = "IGNORE"; my @all;
my $hello = '{"hello":{"version":4,"program":"perl","seat":"console","after":0}}'; $hello = pack("CN", 0, length $hello) . $hello;
for my $i (1..$ARGV[0]) {
  socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un(".cuelight/cuelight.sock")) or next;
  syswrite $s, $i <= 200 ? $hello : $i % 3 ? substr($hello, 0, 9) : "";
  push @all, $s if @all < 900;
  if ($i == 800) { open D, ">held" }
}
open D, ">done"; sleep 1 until -e "enough";
PERL
  mv "$workspace/crowd.new" "$workspace/crowd.pl"
  until_true test -e "$workspace/held"
  local began; began=$(now_ms)
  cue reject g-1 --reason no > "$workspace/said" 2>&1 || { cat "$workspace/said"; touch "$workspace/enough"; return 1; }
  began=$(( $(now_ms) - began ))
  touch "$workspace/enough"
  echo "$1 connections of a step, and a person's no took $began ms"
}
hundreds() { crowd 899; }
thousands() { crowd 10000; }
attack "a step holds the seats, and a person's no finds none" hundreds
attack "ten thousand peers of a step, and a person's no finds no seat" thousands

half_sent() {
  fresh door
  cue run - > /dev/null 2>&1 <<< ""
  (cd "$workspace" && exec env -i PATH="$PATH" HOME="$scratch" "$program" serve --listen 127.0.0.1:0 --insecure) > "$workspace/serve" 2>&1 &
  local engine=$! at took
  until_true grep -q 'answering at' "$workspace/serve"
  at=$(grep -o '127.0.0.1:[0-9]*' "$workspace/serve" | head -n 1)
  perl -MIO::Socket::INET -e '$SIG{PIPE} = "IGNORE"; for (1..1129) { my $s = IO::Socket::INET->new($ARGV[0]) or next; syswrite $s, "GET /health HTTP/1.1\r\nHost: x\r\n"; push @all, $s } open D, ">", "$ARGV[1]/sent"; sleep 60' "$at" "$workspace" &
  local crowd=$!
  until_true test -e "$workspace/sent"
  took=$(now_ms)
  perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 5) or die "no place"; syswrite $s, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"; $SIG{ALRM} = sub { print "no answer in 5 s\n"; exit 1 }; alarm 5; print scalar <$s>' "$at" > "$workspace/said" 2>&1
  local result=$?
  took=$(( $(now_ms) - took ))
  kill "$crowd" "$engine" 2> /dev/null; wait "$crowd" "$engine" 2> /dev/null
  [ "$result" -eq 0 ] || { cat "$workspace/said"; return 1; }
  echo "/health answered in $took ms: $(tr -d '\r' < "$workspace/said")"
}
attack "half-sent requests from one address hold /health" half_sent

stranger() {
  command -v setpriv > /dev/null || absent setpriv
  [ "$(id -u)" -eq 0 ] || absent "a second user (root alone can be somebody else)"
  gated reversible "until [ -e enough ]; do sleep 0.05; done"
  chmod 755 "$scratch" "$workspace"
  local said
  said=$(cd "$workspace" && setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" HOME=/nonexistent "$program" approve g-1 2>&1) && { echo "$said"; return 1; }
  touch "$workspace/enough"; cue cancel r-1 --reason done > /dev/null
  grep -q "belongs to root (uid 0)" <<< "$said" || { echo "not told whose it is: $said"; return 1; }
  echo "$said"
}
attack "another user is not told whose workspace it is" stranger

namespace() {
  unshare -rpf --mount-proc true 2> /dev/null || absent "unshare with a pid namespace"
  fresh door
  printf 'name: w\nsteps:\n  - id: ok\n    gate: {prompt: "Go on?", undo-window: 0s}\n  - {id: go, needs: [ok], run: touch passed}\n' > "$workspace/w.yaml"
  (cd "$workspace" && exec env -i PATH="$PATH" HOME="$scratch" unshare -rpf --kill-child --mount-proc "$program" run w.yaml --headless) > /dev/null 2>&1 &
  local engine=$!
  until_true gate_is_open
  cue approve g-1 > "$workspace/said" 2>&1
  local result=0
  held said || result=1
  kill "$engine" 2> /dev/null; wait "$engine" 2> /dev/null
  return "$result"
}
attack "a peer without a number here (another pid namespace) approves" namespace

# The step ends the engine and starts the same program in namespaces of its own, where a mount hides the marks of both.
namespaces_of_a_step() {
  unshare -rpfm --mount-proc mount --bind /dev/null /proc/self/limits 2> /dev/null || absent "unshare with a mount namespace"
  gated irreversible "if [ \"\${1:-}\" = inside ]; then
  sed 's/^\(Max file locks *\).*/\1unlimited unlimited locks/' /proc/self/limits > limits; mount --bind limits /proc/\$\$/limits
  as_nobodys() { sh -c 'mount --bind limits /proc/\$\$/limits; exec \"\$@\"' sh '$program' \"\$@\"; }
  setsid -f sh -c 'mount --bind limits /proc/\$\$/limits; exec '\''$program'\'' serve' > serving 2>&1
  for _ in \$(seq 200); do ! grep -q serving serving || break; sleep 0.05; done
  for _ in 1 2 3; do as_nobodys approve g-1 --ask \$('$program' gates --json | grep -o '[0-9a-f]\{64\}' | head -1) > said 2>&1; done
  sleep 0.5; exit
fi
kill -9 \$(tr -dc 0-9 < .cuelight/lock); sleep 0.5
env -i PATH=\"\$PATH\" HOME=\"\$HOME\" unshare -rpfm --kill-child --mount-proc bash ways.sh inside > inside 2>&1; touch done; sleep 60"
  until_true test -e "$workspace/done" || { cat "$workspace/inside"; return 1; }
  held said || return 1
  grep -q 'no person decides here' "$workspace/serving" || { echo "the engine of a step does not say so"; cat "$workspace/serving"; return 1; }
}
attack "a step starts the engine anew in namespaces of its own, and approves there" namespaces_of_a_step

# The step takes the name of the socket, shows a person another question, and keeps what they sign. It would count later, when a
# program that is no step gives it in.
signature_caught() {
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" -eq 0 ] || absent "people.toml of root (run as root)"
  fresh door
  mkdir "$workspace/.cuelight"
  ssh-keygen -q -t ed25519 -N '' -C ann -f "$workspace/ann"
  printf "[[person]]\nname = 'me'\nuid = 0\n[[person]]\nname = 'ann'\nkeys = ['%s']\n" "$(cat "$workspace/ann.pub")" > "$workspace/.cuelight/people.toml"
  chmod 644 "$workspace/.cuelight/people.toml"
  cat > "$workspace/relay.pl" <<'PERL'
use IO::Socket::UNIX;
my ($at, $real) = (".cuelight/cuelight.sock", ".cuelight/real");
rename $at, $real; my $door = IO::Socket::UNIX->new(Local => $at, Listen => 20) or die; open D, ">in-place"; close D; $SIG{CHLD} = "IGNORE";
while (1) {
  my $in = $door->accept or next; next if fork;
  my $out = IO::Socket::UNIX->new(Peer => $real) or die;
  if (fork) { while (sysread $out, my $some, 1 << 20) { $some =~ s/DROP the database\?/Print the report??/g; syswrite $in, $some } }
  else { while (sysread $in, my $some, 1 << 20) { open C, ">>caught"; syswrite C, $some; close C; syswrite $out, $some } }
  exit;
}
PERL
  printf 'name: w\nsteps:\n  - id: ok\n    gate: {prompt: "DROP the database?", risk: irreversible, undo-window: 0s}\n  - {id: go, needs: [ok], run: touch passed}\n  - {id: leaves, run: "until [ -e now ]; do sleep 0.05; done; perl relay.pl", on-error: continue}\n' > "$workspace/w.yaml"
  cue run w.yaml --headless > "$workspace/run" 2>&1 &
  until_true gate_is_open
  local name; name=$(cue gates --json | grep -o '"ask_hash": *"[0-9a-f]*"' | grep -o '[0-9a-f]\{64\}')
  touch "$workspace/now"; until_true test -e "$workspace/in-place"
  cue approve g-1 --as ann --key "$workspace/ann" --ask "$name" > "$workspace/said" 2>&1
  ! grep -q 'SSH SIGNATURE' "$workspace/caught" 2> /dev/null || { echo "the step has a signature"; cat "$workspace/said"; return 1; }
  tail -n 1 "$workspace/said"
  cue cancel r-1 --reason done > /dev/null 2>&1 || kill "$(tr -dc 0-9 < "$workspace/.cuelight/lock")" 2> /dev/null
}
attack "a step takes the name of the socket and keeps what a person signs" signature_caught

relay() {
  command -v socat > /dev/null || absent socat
  gated reversible "socat UNIX-LISTEN:relay,fork UNIX-CONNECT:.cuelight/cuelight.sock & sleep 0.2
until [ -e hello.pl ]; do sleep 0.05; done; sed 's/.cuelight.cuelight.sock/relay/' hello.pl > relay.pl
setsid -f env -i perl relay.pl direct 5 > said 2>&1; sleep 1; touch done; until [ -e enough ]; do sleep 0.05; done"
  hello; until_true test -e "$workspace/done"
  grep -Eq 'console|command|socket' "$workspace/said" && { cat "$workspace/said"; touch "$workspace/enough"; return 1; }
  held said
}
attack "a step stands behind socat" relay

# An sshd that takes this user's key, as many a machine has, and that was there before the run.
forwarded() {
  [ -x /usr/sbin/sshd ] || absent sshd
  local keys; keys=$(mktemp -d "$scratch/keys.XXXXXX")
  ssh-keygen -q -t ed25519 -N '' -f "$keys/host" && ssh-keygen -q -t ed25519 -N '' -f "$keys/mine" || return 1
  local port=$(( 20000 + RANDOM % 20000 ))
  printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $keys/host" "AuthorizedKeysFile $keys/mine.pub" \
    "PidFile none" "StrictModes no" "UsePAM no" "PermitRootLogin yes" "PasswordAuthentication no" > "$keys/sshd_config"
  [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
  /usr/sbin/sshd -D -e -f "$keys/sshd_config" 2> "$keys/log" &
  local daemon=$!
  gated reversible "until [ -e hello.pl ]; do sleep 0.05; done; sed 's/.cuelight.cuelight.sock/relay/' hello.pl > relay.pl
ssh -f -N -p $port -i $keys/mine -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes -L \$PWD/relay:\$PWD/.cuelight/cuelight.sock 127.0.0.1 > tunnel 2>&1
setsid -f env -i perl relay.pl direct 5 > said 2>&1; sleep 1; touch done; until [ -e enough ]; do sleep 0.05; done"
  hello
  local result=0
  until_true test -e "$workspace/done" || result=1
  grep -q 'greeted as' "$workspace/said" || { echo "no way through sshd was tried:"; cat "$keys/log" "$workspace/tunnel"; result=1; }
  ! grep -Eq 'console|command|socket' "$workspace/said" || { cat "$workspace/said"; result=1; }
  held said || result=1
  kill "$daemon" 2> /dev/null; wait "$daemon" 2> /dev/null
  return "$result"
}
attack "a step stands behind ssh -L" forwarded

# A person's key for tokens lies on the host. A step makes that person's token and answers over HTTP: `minted ADDRESS SCRIPT`.
# `$say HOW` sends the answer; the script says from which process. With a user in $as, engine and steps are that user's. With a
# command in $before, it runs first beside the engine, with its address in $at. With $gap, the way is a documented gap: it passes.
minted() {
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" -eq 0 ] || absent "people.toml of root (run as root)"
  local as=${as:-} gap=${gap:-} home=$scratch user=()
  fresh door
  if [ -n "$as" ]; then
    command -v setpriv > /dev/null || absent setpriv
    user=(setpriv --reuid "$as" --regid "$as" --clear-groups)
    home=$scratch/home
    mkdir -p "$home" && chown "$as:$as" "$home" "$workspace" && chmod 755 "$scratch"
    # Whatever an attack before has left running keeps the copy from being written again.
    [ -x "$scratch/cuelight" ] || { cp "$program" "$scratch/cuelight" && chmod 755 "$scratch/cuelight"; }
    program=$scratch/cuelight
    in_workspace() { (cd "$workspace" && "${user[@]}" env -i PATH="$PATH" HOME="$home" LC_ALL=C.UTF-8 "$program" "$@"); }
  fi
  ssh-keygen -q -t ed25519 -N '' -C c -f "$workspace/token"
  mkdir "$workspace/.cuelight"
  printf "[[person]]\nname = 'me'\nuid = ${as:-0}\ntoken = 'me@host'\n[[token-key]]\nkid = 'here'\nkey = '%s'\n" \
    "$(cat "$workspace/token.pub")" > "$workspace/.cuelight/people.toml"
  chmod 644 "$workspace/.cuelight/people.toml"
  cat > "$workspace/say.pl" <<'PERL'
use IO::Socket::INET; use Socket;
# Taken apart, so that a program with the bit of another user believes it.
my ($at, $how) = ($ARGV[0] =~ /^([0-9.:]+)$/, $ARGV[1]);
my $slurp = sub { local (@ARGV, $/) = ($_[0]); my $it = <>; $it =~ s/\s+$//; $it };
my ($token, $gates) = ($slurp->("jwt"), $slurp->("asked"));
my ($hash) = $gates =~ /"ask_hash":\s*"([0-9a-f]{64})"/;
my $body = qq({"decision_id":"d-$$","gate_epoch":1,"ask_hash":"$hash","verdict":"approve","reason":"ok"});
my $s = IO::Socket::INET->new(PeerAddr => $at) or die "no connection to $at";
syswrite $s, "POST /api/gates/g-1/decision HTTP/1.1\r\nHost: $at\r\nAuthorization: Bearer $token\r\n"
  . "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
if ($how eq "leaves") { print "gone\n"; exit }
if ($how eq "aborts") { setsockopt $s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0); close $s; print "gone\n"; exit }
# A chain of processes: each has ended when its number is looked up.
if ($how eq "hops") { for (1..500) { defined(my $next = fork) or last; exit if $next } }
my $said = join "", <$s>; print $said =~ /^HTTP\S+ (\d+)/, " ", $said =~ /"message":"([^"]*)/ ? $1 : "", "\n";
PERL
  printf 'name: w\nsteps:\n  - id: ok\n    gate: {prompt: "Go on?", undo-window: 0s}\n  - {id: go, needs: [ok], run: touch passed}\n  - {id: leaves, run: bash ways.sh, on-error: continue}\n' \
    > "$workspace/w.yaml"
  [ -z "$as" ] || { chmod 755 "$workspace" "$workspace/.cuelight"; chown "$as:$as" "$workspace"/* "$workspace/.cuelight"; }
  own_it
  (cd "$workspace" && exec "${user[@]}" env -i PATH="$PATH" HOME="$home" "$program" serve --listen "$1:0" --insecure) > "$workspace/serve" 2>&1 &
  local engine=$! at result=0 said helper=
  until_true grep -q 'answering at' "$workspace/serve" || { cat "$workspace/serve"; return 1; }
  at=$(grep -o '[0-9.]*:[0-9][0-9]*' "$workspace/serve" | head -n 1)
  at=${at/0.0.0.0/${address:-127.0.0.1}}
  say="perl say.pl $at"
  if [ -n "${before:-}" ]; then (cd "$workspace" && $before "$at") > "$workspace/helper" 2>&1 & helper=$!; fi
  printf '%s\n' "until '$program' gates --json > asked && grep -q '\"open\"' asked; do sleep 0.05; done
'$program' token --person me@host --key token > jwt 2> minting
say='$say'
$2
touch done; until [ -e enough ]; do sleep 0.05; done" > "$workspace/ways.sh"
  cue run w.yaml --headless > "$workspace/run" 2>&1 &
  local run=$!
  until_true test -e "$workspace/done" || result=1
  sleep 0.3
  said=$(tail -n 1 "$workspace/said")
  if [ -n "$gap" ]; then
    until_true test -e "$workspace/passed" && grep -q '^200' "$workspace/said" || { echo "the gap is closed: mend docs/SECURITY.md"; result=1; }
    said="passes, as docs/SECURITY.md tells"
  else
    [ ! -e "$workspace/passed" ] && gate_is_open || { echo "the gate was passed"; result=1; }
    grep -Eq '^(403|gone)' <<< "$said" || { echo "not tried: $said"; result=1; }
    # Whoever is no step answers in the same way, and counts.
    (cd "$workspace" && "${user[@]}" $say stays) > "$workspace/person" 2>&1
    grep -q '^200' "$workspace/person" || { echo "a person does not count: $(cat "$workspace/person")"; result=1; }
  fi
  touch "$workspace/enough"
  cue cancel r-1 --reason done > /dev/null 2>&1
  # In this order: a run that has lost its engine starts another one.
  kill "$run" 2> /dev/null; wait "$run" 2> /dev/null
  kill "$engine" $helper 2> /dev/null; wait "$engine" $helper 2> /dev/null
  [ "$result" -eq 0 ] || cat "$workspace/said" "$workspace/minting"
  echo "$said"
  return "$result"
}
minted_here() { minted 127.0.0.1 '$say stays > said 2>&1'; }
attack "a step makes a person's token and answers over HTTP" minted_here
minted_orphan() { minted 127.0.0.1 'setsid -f env -i PATH="$PATH" sh -c "kill -9 $PPID; sleep 0.3; $say stays > said 2>&1; touch done"; sleep 60'; }
attack "a step kills its guard, and its orphan answers over HTTP" minted_orphan
minted_and_gone() { minted 127.0.0.1 '$say leaves > said; $say aborts >> said; sleep 0.5'; }
attack "a step answers over HTTP and closes the connection at once" minted_and_gone
minted_hopping() { minted 127.0.0.1 'for i in 1 2 3 4 5 6; do $say hops >> said 2>&1; until [ "$(wc -l < said)" -ge $i ]; do sleep 0.05; done; done'; }
attack "a step hands its connection from process to process" minted_hopping
minted_by_address() {
  local address
  address=$(hostname -I 2> /dev/null | tr ' ' '\n' | grep -m 1 '^[0-9.]*$') || absent "an address of this host besides loopback"
  minted 0.0.0.0 '$say stays > said 2>&1; $say leaves >> said; $say aborts >> said; sleep 0.5; $say stays >> said 2>&1'
}
attack "a step answers over HTTP through another address of the host" minted_by_address
minted_as_other() {
  command -v setpriv > /dev/null || absent setpriv
  minted 127.0.0.1 'chmod 644 jwt asked say.pl; chmod 755 . ..; setpriv --reuid 65534 --clear-groups $say stays > said 2>&1'
}
attack "a step answers over HTTP as another user" minted_as_other

# The same where the engine is no root: it cannot look into programs of other users, nor into those that hide.
unprivileged=65534 somebody_else=65533
minted_unprivileged() { as=$unprivileged; minted 127.0.0.1 '$say stays > said 2>&1; $say leaves >> said; $say stays >> said 2>&1'; }
attack "a step of an engine without privileges answers over HTTP" minted_unprivileged

# The step hides its descriptors, and a person's program that shows its own has a copy of the socket.
minted_beside() { # HOW
  local as=$unprivileged
  setpriv --reuid "$as" --regid "$as" --clear-groups /usr/bin/python3 -c 'import socket; socket.send_fds' 2> /dev/null || absent /usr/bin/python3
  keep() {
    cat > keeps.py <<'PYTHON'
import socket, time
door = socket.socket(socket.AF_UNIX); door.bind("keeps"); door.listen()
kept = [socket.recv_fds(door.accept()[0], 1, 1)]
open("kept", "w").close()
time.sleep(60)
PYTHON
    cat > hides.new <<'PYTHON'
import ctypes, json, os, re, socket, sys, threading, time
host, port = sys.argv[1].split(":")
def answer():
  assert (libc.unshare(0x400) if sys.argv[3] == "apart" else libc.prctl(4, 0, 0, 0, 0)) == 0
  there = socket.create_connection((host, int(port)))
  keeper = socket.socket(socket.AF_UNIX); keeper.connect("keeps")
  socket.send_fds(keeper, [b"x"], [there.fileno()])
  while not os.path.exists("kept"): time.sleep(0.05)
  ask = re.search(r'"ask_hash":\s*"([0-9a-f]{64})"', open("asked").read()).group(1)
  body = json.dumps({"decision_id": "d-1", "gate_epoch": 1, "ask_hash": ask, "verdict": "approve", "reason": "ok"})
  there.sendall(("POST /api/gates/g-1/decision HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
    "Content-Length: %d\r\n\r\n%s" % (sys.argv[1], open("jwt").read().strip(), len(body), body)).encode())
  there.settimeout(20)
  print(there.recv(65536).decode().split(" ", 1)[1].split("\r\n")[0])
libc = ctypes.CDLL(None)
thread = threading.Thread(target=answer)
thread.start() if sys.argv[3] == "apart" else answer()
PYTHON
    mv hides.new hides.py
    exec setpriv --reuid "$as" --regid "$as" --clear-groups /usr/bin/python3 keeps.py
  }
  before=keep minted 127.0.0.1 'until [ -e hides.py ] && [ -e keeps ]; do sleep 0.05; done; /usr/bin/python3 hides.py ${say##* } stays '"$1"' > said 2>&1'
}
minted_hidden() { minted_beside hidden; }
minted_apart() { minted_beside apart; }
attack "a step hides, and a person's program holds its connection as well" minted_hidden
attack "a thread of a step has descriptors of its own, and a person's program holds its connection as well" minted_apart

# A program with the bit of another user: the kernel gives its socket to that user, and its real user is the engine's.
minted_by_bit() {
  local as=$unprivileged
  cp "$(command -v perl)" "$scratch/perl" && chown "$somebody_else" "$scratch/perl" && chmod 4755 "$scratch/perl"
  minted 127.0.0.1 "chmod 644 jwt asked say.pl; \${say/perl/$scratch/perl} stays > said 2>&1"
}
attack "a step answers over HTTP by a program with the bit of another user" minted_by_bit

# Any program of another user that passes on connections.
minted_through_other() {
  local as=$unprivileged gap=yes
  passes_on() {
    cat > passes.pl <<'PERL'
use IO::Socket::INET;
$| = 1; my $door = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1:0") or die;
print "127.0.0.1:", $door->sockport, "\n";
while (my $in = $door->accept) {
  my $out = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die;
  if (!fork) { while (sysread $in, my $some, 65536) { syswrite $out, $some } exit }
  while (sysread $out, my $some, 65536) { syswrite $in, $some }
  shutdown $in, 2; close $in; close $out;
}
PERL
    exec setpriv --reuid "$somebody_else" --regid "$somebody_else" --clear-groups perl passes.pl "$1"
  }
  before=passes_on minted 127.0.0.1 'until grep -q : helper; do sleep 0.05; done; perl say.pl $(cat helper) stays > said 2>&1'
}
attack "a step answers over HTTP through a program of another user (a documented gap)" minted_through_other

# shellcheck shell=bash
# Approvals that pretend a touched security key, and people.toml with a signature of the wrong one.
#
# The security key is made in software, by openssl. `ssh-keygen -Y verify` accepts what it signs (tests/it/proof.rs).

# Four bytes, big-endian, for each text in a file: `packed FILE…`.
packed() {
  local file
  for file; do printf '%08x' "$(stat -c %s "$file")" | xxd -r -p; cat "$file"; done
}

# A security key in the workspace: key.pem and its line for people.toml in key.pub.
made_key() {
  command -v openssl > /dev/null || absent openssl
  command -v xxd > /dev/null || absent xxd
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" = 0 ] || { echo "skipped: could not make a file of root; run as root"; exit 77; }
  mkdir -p "$workspace/k"
  (
    cd "$workspace/k" || exit
    openssl genpkey -algorithm ed25519 -out key.pem
    openssl pkey -in key.pem -pubout -outform DER | tail -c 32 > public
    printf 'sk-ssh-ed25519@openssh.com' > kind
    printf 'ssh:' > application
    packed kind public application > blob
    printf 'sk-ssh-ed25519@openssh.com %s\n' "$(base64 -w 0 blob)" > key.pub
    ssh-keygen -q -t ed25519 -N '' -C c -f file
  )
}

# Signs a file as ssh-keygen would, with these flags of the key: `sk_sign FLAGS FILE`.
sk_sign() {
  (
    cd "$workspace/k" || exit
    printf 'cuelight-decision' > space; printf '' > empty; printf 'sha512' > hash
    openssl dgst -sha512 -binary "$workspace/$2" > hashed
    { printf 'SSHSIG'; packed space empty hash hashed; } > message
    printf '%s00000007' "$1" | xxd -r -p > counted
    { openssl dgst -sha256 -binary application; cat counted; openssl dgst -sha256 -binary message; } > signed
    openssl pkeyutl -sign -rawin -inkey key.pem -in signed -out raw
    { packed kind raw; cat counted; } > inner
    { printf 'SSHSIG\0\0\0\1'; packed blob space empty hash inner; } > whole
    { echo '-----BEGIN SSH SIGNATURE-----'; base64 -w 70 whole; echo '-----END SSH SIGNATURE-----'; } > "$workspace/$2.sig"
  )
}

# Writes an approval of g-1 by `me` as `answer`, and signs it with these flags of the key: `answer_signed FLAGS`.
answer_signed() {
  cue approve g-1 --as me --statement answer > /dev/null 2>&1
  sk_sign "$1" answer
}

# A gate that asks for a touch, and `me`, who has the security key and a key in a file.
touched_gate() {
  fresh proof
  made_key
  cat > "$workspace/ship.yaml" << 'YAML'
steps:
  - {id: g, gate: {prompt: go?, proof: touch, undo-window: 0s}}
  - {id: z, needs: g, run: touch shipped}
YAML
  mkdir -p "$workspace/.cuelight"
  printf "[[person]]\nname = 'me'\nuid = 0\nkeys = ['%s', '%s']\n" \
    "$(cat "$workspace/k/key.pub")" "$(cat "$workspace/k/file.pub")" > "$workspace/.cuelight/people.toml"
  chmod 644 "$workspace/.cuelight/people.toml"
  begins
}

begins() {
  cue run ship.yaml --headless > "$workspace/run.out" 2>&1 &
  engines="${engines:-} $!"
  until_true asks_at "${1:-g-1}"
}

asks_at() { cue gates --json | grep -q "\"$1\""; }

# The answer has to be refused, and the step behind the gate must not run.
stays_shut() { # ARGUMENT…
  local said
  if said=$(cue "$@" 2>&1); then echo "went through: $said"; return 1; fi
  sleep 0.5
  # Nobody can even cancel while the file is broken.
  rm -f "$workspace/.cuelight/people.toml.sig"
  for run in r-1 r-2; do cue cancel "$run" > /dev/null 2>&1; done
  # shellcheck disable=SC2086
  wait ${engines:-}
  engines=
  printf '%s\n' "$said"
  [ ! -e "$workspace/shipped" ]
}

with_no_key() { touched_gate; stays_shut approve g-1; }
attack "an approval without a key where a touch is asked for" with_no_key

with_the_key_in_a_file() { touched_gate; stays_shut approve g-1 --as me --key k/file; }
attack "a step has the ssh-ed25519 key file and signs with it" with_the_key_in_a_file

by_override() { touched_gate; stays_shut skip r-1 g --reason "by hand" --ask "$(ask_name)"; }
ask_name() { cue gates --json | grep -o '"ask_hash": *"[0-9a-f]\{64\}"' | grep -o '[0-9a-f]\{64\}' | head -n 1; }
attack "an override in place of a touch" by_override

# Nobody has touched anything to hand the answer on.
by_delegation() { touched_gate; stays_shut gate delegate g-1 --to me | grep 'needs a touched security key, and a delegation carries none'; }
attack "an answer delegated where a touch is asked for" by_delegation

nobody_touched() {
  touched_gate
  answer_signed 00
  stays_shut approve g-1 --signed answer
}
attack "a signature of a security key that nobody touched" nobody_touched

bit_set_afterwards() {
  touched_gate
  answer_signed 00
  (
    cd "$workspace/k" || exit
    printf '0100000007' | xxd -r -p > counted
    { packed kind raw; cat counted; } > inner
    { printf 'SSHSIG\0\0\0\1'; packed blob space empty hash inner; } > whole
    { echo '-----BEGIN SSH SIGNATURE-----'; base64 -w 70 whole; echo '-----END SSH SIGNATURE-----'; } > "$workspace/answer.sig"
  )
  stays_shut approve g-1 --signed answer
}
attack "the presence bit set after the signature" bit_set_afterwards

at_another_gate() {
  touched_gate
  begins g-2
  answer_signed 01
  stays_shut approve g-2 --signed answer
}
attack "a touched signature replayed at another gate" at_another_gate

in_another_epoch() {
  touched_gate
  answer_signed 01
  printf "[[person]]\nname = 'bob'\nuid = 4000000\n" >> "$workspace/.cuelight/people.toml"
  until_true asks_otherwise
  stays_shut approve g-1 --signed answer
}
asks_otherwise() { cue approve g-1 > /dev/null 2>&1; cue gates --json | grep -q '"epoch": *2'; }
attack "a touched signature replayed in another epoch" in_another_epoch

# The other way round: a touched signature over this very answer opens the gate, so that the refusals above are no accident.
a_touch_counts() {
  touched_gate
  answer_signed 01
  cue approve g-1 --signed answer || return 1
  # shellcheck disable=SC2086
  wait ${engines:-}
  engines=
  [ -e "$workspace/shipped" ] && echo "only a touched signature over this very answer opens the gate"
}
attack "anything but a touch" a_touch_counts

# people.toml as the user's own file, which KEY of the workspace has signed, and a list of signers with `ops` in it.
signed_people() { # KEY
  fresh signed
  command -v ssh-keygen > /dev/null || absent ssh-keygen
  [ "$(id -u)" = 0 ] || { echo "skipped: could not make a file of root; run as root"; exit 77; }
  mkdir -p "$workspace/.cuelight" "$workspace/etc"
  chmod 755 "$workspace/etc"
  cat > "$workspace/ship.yaml" << 'YAML'
steps:
  - {id: g, gate: {prompt: go?, require: sre, risk: externally-reversible, undo-window: 0s}}
  - {id: z, needs: g, run: touch shipped}
YAML
  (
    cd "$workspace" || exit
    ssh-keygen -q -t ed25519 -N '' -C c -f ops
    ssh-keygen -q -t ed25519 -N '' -C c -f eve
    echo "ops $(cat ops.pub)" > etc/signers
    chmod 644 etc/signers
  )
  people_of "'sre'" "$1"
}

people_of() { # GROUPS KEY
  (
    cd "$workspace" || exit
    printf "[[person]]\nname = 'me'\nuid = 0\ngroups = [%s]\n" "$1" > people.toml
    printf "[[person]]\nname = 'bob'\nuid = 4000000\ngroups = ['sre']\n" >> people.toml
    chmod 666 people.toml
    rm -f people.toml.sig
    ssh-keygen -Y sign -q -n cuelight-people -f "$2" people.toml
    mv people.toml.sig people.toml .cuelight/
  )
}

# The same program, which root tells where the signers are.
in_workspace() {
  (cd "$workspace" && env -i PATH="$PATH" HOME="$scratch" LC_ALL=C.UTF-8 CUELIGHT_PEOPLE_SIGNERS="$workspace/etc/signers" "$program" "$@")
}

foreign_signer() { signed_people ops; begins; people_of "'sre'" eve; stays_shut approve g-1; }
attack "people.toml.sig by a foreign key" foreign_signer

edited_after() {
  signed_people ops; begins
  echo "# an edit" >> "$workspace/.cuelight/people.toml"
  stays_shut approve g-1
}
attack "people.toml edited after it was signed" edited_after

signers_of_the_user() { signed_people ops; begins; chmod 666 "$workspace/etc/signers"; touch "$workspace/etc/signers"; stays_shut approve g-1; }
attack "a list of signers that the user can write" signers_of_the_user

older_file() { signed_people ops; people_of "'dev'" ops; begins; people_of "'sre'" ops; until_true asks_otherwise; sleep 0.5; stays_shut approve g-1; }
attack "an older signed people.toml put back while a gate asks" older_file

without_its_signature() { signed_people ops; begins; rm "$workspace/.cuelight/people.toml.sig"; until_true asks_otherwise; sleep 0.5; stays_shut approve g-1; }
attack "the signature taken away" without_its_signature

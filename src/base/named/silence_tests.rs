//! Calls in which a file was missed in silence: each is told, or its file is found.

use super::*;

fn of_text(text: &str) -> Named {
    of_words(&["bash", "-euo", "pipefail", "-c", text])
}

fn of_words(words: &[&str]) -> Named {
    named(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), BTreeMap::new())
}

/// Each text has a part of a reason told.
#[track_caller]
fn check_told(cases: &[(&str, &str)]) {
    let silent: Vec<_> = cases
        .iter()
        .filter(|(text, reason)| !of_text(text).missed.iter().any(|told| told.contains(reason)))
        .map(|(text, reason)| (text, reason, of_text(text).missed))
        .collect();
    assert!(silent.is_empty(), "{} are not told: {silent:#?}", silent.len());
}

/// Each text has a file found that is run, or named.
#[track_caller]
fn check_found(cases: &[(&str, &str)]) {
    let silent: Vec<_> = cases
        .iter()
        .filter(|(text, file)| {
            let found = of_text(text);
            !found.runs.contains(*file) && !found.names.contains(*file)
        })
        .collect();
    assert!(silent.is_empty(), "{} are not found: {silent:#?}", silent.len());
}

#[track_caller]
fn check_quiet(texts: &[&str]) {
    let loud: Vec<_> =
        texts.iter().map(|text| (text, of_text(text).missed)).filter(|entry| !entry.1.is_empty()).collect();
    assert!(loud.is_empty(), "{} are told: {loud:#?}", loud.len());
}

#[test]
fn braces_that_are_not_plain_are_told() {
    check_told(&[
        ("bash w{01..02}", "`{01..02`"),
        ("bash w{1..5..4}", "`{1..5..4`"),
        ("X=q; bash {$X,w}s", "`{$X,w`"),
        ("bash {\"a b\",w}s", "`{"),
        ("bash x{a\\,b,c}", "`{"),
        (&format!("bash w{{{},x}}", "a,".repeat(600)), "`{"),
        ("bash x{a,{01..02}}", "`{"),
        ("bash {A..c}", "`{A..c"),
        ("X=w; bash $X{a,b}", "`{"),
        ("X={a,b}; bash $X", "`{"),
        ("bash a}b", "`}`"),
        ("sh -c 'bash {a,b}'", "`{"),
    ]);
    check_found(&[("bash {w}", "{w}"), ("bash a{}b", "a{}b"), ("./{w}.sh", "./{w}.sh")]);
}

#[test]
fn a_comment_begins_where_bash_begins_one() {
    check_found(&[("echo }#; bash \"$(true)w\"\"v\"", "wv"), ("{# || bash w\"v\"", "wv")]);
    check_told(&[
        ("echo }#; bash \"$(pwd)/w$X\"", "known only when it runs"),
        ("echo `true #`; x) y", "`)`"),
    ]);
    check_quiet(&["echo a#b # c ' d\n# \" e\n./w.sh;# f (", "(true)# a"]);
}

#[test]
fn escapes_that_are_not_plain_are_told() {
    check_told(&[
        ("bash $'\\567'", "`$'\\5`"),
        ("bash $'\\x{77}'", "`$'\\x`"),
        ("bash $'\\xc3\\xa4'", "`$'\\x`"),
        ("bash $'\\a'", "`$'\\a`"),
        ("bash $'\\cw'", "`$'\\c`"),
        ("bash $\"w\"", "`$\"`"),
        ("sh -c \"bash \\$'w'\"", "`$'`"),
        ("bash [\"]\"w]", "quotes in a pattern"),
        ("bash a\r\nbash w", "carriage return"),
        ("bash $\\\nX", "`$`"),
    ]);
    check_quiet(&["printf $'a\\n\\t\\\\\\'\\\"'"]);
}

#[test]
fn commands_that_change_variables_or_the_reading_are_told() {
    check_told(&[
        ("i=1; ((i+=1)); bash w$i", "`((`"),
        ("i=1; ((i*=3)); bash w$i", "`((`"),
        ("for ((i=0;i<3;i++)); do bash w$i; done", "`(` in a command"),
        ("i=1; echo $((i+=1)); bash w$i", "`$((`"),
        ("i=1; echo $((i++)); bash w$i", "`$((`"),
        ("echo $[i=1]; bash w$i", "`$[`"),
        ("let i=2; bash w$i", "`let`"),
        ("X=w; Y=X; declare -n r=X; r=v; bash $X", "`declare -n`"),
        ("f() { local -n r=X; r=v; }; X=w; f; bash $X", "`local -n`"),
        ("declare -i X; X=1; X+=1; bash w$X", "`declare -i`"),
        ("X=w; unset X; bash v$X", "known only when it runs"),
        ("X=a:w; IFS=:; bash $X", "`IFS`"),
        ("f() { local IFS=:; bash $X; }; X=w:v; f", "`IFS`"),
        ("printf -vX v; bash $X", "`printf -v`"),
        ("X=w; builtin read X; bash $X", "known only when it runs"),
        ("X=w; command read X; bash $X", "`command read`"),
        ("X=w; <in read X; bash $X", "`<` before a command"),
        ("X=w; read -raX; bash $X", "`read -raX`"),
        ("X=w; n=X; export \"X$(true)=v\"; bash $X", "known only when it runs"),
        ("X=w; X[0]=v; bash $X", "`X[`"),
        ("shopt -s extglob; bash w", "`shopt`"),
        ("shopt -s dotglob; bash */w", "`shopt`"),
        ("set -- w; bash $1", "`set`"),
        ("set -e -- w; bash s/$1", "`set`"),
        ("set -o posix", "`set`"),
        ("alias echo=bash\necho w", "`alias`"),
        ("bash @(w).sh", "`@(`"),
        ("echo ${X@P}", "`${X@P}`"),
        ("n=w; echo \"${n/\"a\"/b}\"", "`${n"),
        ("coproc bash", "`coproc`"),
        ("eval 'X=1; ((X++))'", "`((`"),
        ("trap '((X++))' EXIT", "`((`"),
        ("zsh -c 'bash =w'", "text of zsh"),
        ("bash -O extglob -c true", "`-O`"),
        ("bash -lc true", "profiles"),
        ("bash -o posix -c true", "`-o posix`"),
        ("mapfile -C '((i))' x", "`mapfile -C`"),
        ("timeout 5 watch '((i))'", "`((`"),
        ("sudo -u x su -c '((i))'", "`((`"),
        ("nice flock l -c '((i))'", "`((`"),
        ("script --comm='((i))'", "`((`"),
        ("sg grp '((i))'", "`((`"),
        ("sudo -s '((i))'", "`((`"),
        ("bash --login -c true", "profiles"),
        ("bash -i -c true", "profiles"),
    ]);
    check_found(&[("n=x; while true; do for n in w; do bash s/$n; done; done", "s/w")]);
}

#[test]
fn arithmetic_that_can_run_a_command_is_told() {
    let value = "x='a[$(sh ./w$((1)).sh)0]'; ";
    let of = |end: &str| value.to_owned() + end;
    check_told(&[
        (&of("echo $((x))"), "`x` in arithmetic"),
        (&of("echo $(($x + 1))"), "`x` in arithmetic"),
        (&of("echo $((${x} + 1))"), "`x` in arithmetic"),
        (&of("y=x; echo $((y))"), "`y` in arithmetic"),
        (&of("n=1; echo $((n$x))"), "`$((`"),
        (&of("y=$((x)); z=1; echo $((z))"), "`x` in arithmetic"),
        (&of("[[ x -gt 0 ]]"), "`x` in arithmetic"),
        (&of("[[ 0 -eq $x ]]"), "`x` in arithmetic"),
        ("[[ 'a[$(sh w)]' -gt 0 ]]", "`[[ -gt`"),
        (&of("echo ${b[x]}"), "`x` in arithmetic"),
        (&of("echo ${PWD:x:1}"), "`x` in arithmetic"),
        (&of("echo ${@:x:1}"), "`x` in arithmetic"),
        (&of("echo ${!x}"), "`${!x}`"),
        (&of("b=([x]=1)"), "`([`"),
        ("[ -v 'a[$(sh w)0]' ]", "`test -v`"),
        (&of("[ -v $x ]"), "`test -v`"),
        (&of("o=-v; test $o $x"), "`test -v`"),
        (&of("[[ -v $x ]]"), "`[[ -v`"),
        ("read 'a[$(sh w)0]'", "`read` of"),
        ("unset 'a[$(sh w)0]'", "`unset` of"),
        ("declare 'a[$(sh w)0]=v'", "`declare` of"),
        (&of("RANDOM=$x"), "`RANDOM`"),
        (&of("OPTIND=$x"), "`OPTIND`"),
        ("hash -p ./w ls; ls", "`hash`"),
        ("n=$(cat in); echo $((n + 1))", "`n` in arithmetic"),
        ("read -r n; echo $((n + 1))", "`n` in arithmetic"),
        ("n=$(a)$(b); echo $((n))", "`n` in arithmetic"),
        ("n=$(a); n+=$(b); echo $((n))", "`n` in arithmetic"),
        ("n=$((1)); m=$n$(b); echo $((m))", "`m` in arithmetic"),
        ("echo $((n)); n=1", "`n` in arithmetic"),
        ("n=1; . ./lib.sh; echo $((n))", "`n` in arithmetic"),
        ("X=w; X[0 + 0]=v; bash s/$X.sh", "`X[`"),
        ("IFS\\\n=:; X=a:w; bash $X", "a word over the end of a line"),
        ("n=$((1)); bash w$n.sh", "known only when it runs"),
        ("_=1; : 'a[$(sh w)0]'; echo $((_))", "`_` in arithmetic"),
        ("select i in 1; do REPLY=1; echo $((REPLY)); done", "`REPLY` in arithmetic"),
        ("x='-v a[$(sh w)0]'; [ $x ]", "`-v` in a value"),
        ("n=1; n+='+a[$(sh w)0]'; echo $((n))", "`n` in arithmetic"),
        ("n=1; m=1; echo $((n) || (m))", "`$((`"),
        ("bash x=$((1))", "known only when it runs"),
    ]);
    check_quiet(&[
        "n=0\nwhile [ \"$n\" -lt 3 ]; do n=$((n + 1)); echo \"$n\"; done; export m=$((n * 2)); echo $((m / 3))",
        "for i in 1 2 3; do echo $((i * 2)) $(($i % 2)) $((${i} + ${#i} + $#)); done",
        "f() { local n=1; [[ $# -gt 0 ]] || [[ ${#a[@]} -ge $n ]] || echo \"${a[0]} ${a[n]} ${X:n:2}\"; }; f",
        "[ -v X ] && [[ -v Y ]] && echo \"${!a[@]}\" file[0-9]; unset X; OPTIND=1",
    ]);
}

#[test]
fn a_text_that_reaches_an_interpreter_changed_is_told() {
    let reads = "reads from its input";
    check_told(&[
        ("sed s/x/w/ <<E | bash\nbash x\nE", reads),
        ("tr x w <<< 'bash x' | sh", reads),
        ("base64 -d <<< d3cK | bash", reads),
        ("cat <<'E' | rev | bash\nw hsab\nE", reads),
        ("bash <<< 'bash w'\"v\"", "here-string"),
        ("X=w; bash <<E\nbash \\${X}v\nE", "changed before"),
        ("bash <<'E'\n((i+=1))\nE", "`((`"),
        ("bash <(echo bash w)", "`<(`"),
        ("((x=1<<2))\nbash w", "`((`"),
        ("cat <<E\n`true` it's\nE", "here-document"),
        ("cat <<E\nfoo\\\nE\nbash w\nE", "here-document"),
        ("cat <<E\nbash w", "here-document"),
    ]);
}

#[test]
fn a_script_that_the_call_writes_itself_is_told() {
    let wanted = "writes itself";
    check_told(&[
        ("echo bash v > w.sh; bash w.sh", wanted),
        ("printf x >> w.sh; . ./w.sh", wanted),
        ("cat data | tee w.sh; ./w.sh", wanted),
        ("cp data w.sh; ./w.sh", wanted),
        ("mv data w.sh && timeout 5 ./w.sh", wanted),
        ("ln -sf data w.sh; source w.sh", wanted),
        ("sed -i s/a/b/ w.sh; bash w.sh", wanted),
        ("cat > w.sh <<'E'\ntrue\nE\nbash w.sh", wanted),
        ("cp -r data tools; bash tools/w.sh", wanted),
        ("curl -o w.sh https://x; bash w.sh", wanted),
        ("dd if=x of=w.sh; bash w.sh", wanted),
        ("install -m 755 data w.sh; cd .; ./w.sh", wanted),
        ("cat > w.py <<E\nx\nE\npython3 w.py", wanted),
    ]);
    check_quiet(&["./w.sh > out.txt; cat out.txt", "chmod +x w.sh; ./w.sh", "cp a b; ./w.sh"]);
}

#[test]
fn options_that_carry_commands_are_told() {
    check_told(&[
        ("sed 's/x/bash w/e' in", "sed"),
        ("sed -n '1e bash w' in", "sed"),
        ("sed -e p -e 'e bash w' in", "sed"),
        ("sed -l 5 's/.*/sh w/e' in", "`sed`"),
        ("sed --expr='s/.*/sh w/e' in", "`sed`"),
        ("sed -i.ea 's/.*/sh w/e' in", "`sed`"),
        ("sed -n -- 's/.*/sh w/e' in", "`sed`"),
        ("S=p; S='s/.*/sh w/e'; sed $S in", "`sed`"),
        ("S=p; S=s/.*/./e; sed $S in", "`sed`"),
        ("for S in p /x/Ie; do sed $S in; done", "`sed`"),
        ("for S in p /x/Is/a/./e; do sed $S in; done", "`sed`"),
        ("for S in p e./w; do sed $S in; done", "`sed`"),
        ("for S in p /x/e./w; do sed -n -e \"$S\" in; done", "`sed`"),
        ("sed -n p s/a/b/ewout", "`sed`"),
        ("script -qc'((i))' /dev/null", "`((`"),
        ("su -c'((i))'", "`((`"),
        ("su --session-command='((i))'", "`((`"),
        ("sudo -u x sudo -s '((i))'", "`((`"),
        ("rsync -e 'ssh -vo ProxyCommand=w' a b", "`rsync -e`"),
        ("rsync -e 'ssh -i \"a b\"' a b", "`rsync -e`"),
        ("git -c init.templateDir=t init", "`git -c`"),
        ("ed -s x < in", "`ed`"),
        ("ex -c '!bash w' x", "`ex`"),
        ("vim -c '!bash w' x", "`vim`"),
        ("git -c alias.x='!bash w' x", "`git -c"),
        ("git -c core.pager=w log", "`git -c"),
        ("git rebase --exec 'bash w'", "`git --exec`"),
        ("git submodule foreach 'bash w'", "`git foreach`"),
        ("tar xf a --to-command='bash w'", "`tar --to-command`"),
        ("tar xf a --to-c='bash w'", "`tar --to-c`"),
        ("tar cf a x --checkpoint-action=exec=w", "`tar --checkpoint-action`"),
        ("tar -I 'bash w' -cf a x", "`tar -I`"),
        ("tar cf a --use-compress-program=w x", "`tar --use-compress-program`"),
        ("make -f - <<E\nx:\nE", "`make -f`"),
        ("make --eval='$(shell bash w)'", "`make --eval`"),
        ("make X='$(subst a,w,bash a)'", "`make X=`"),
        ("make SHELL=./w", "`make SHELL=`"),
        ("PS4='$(bash w)' bash -x v", "`PS4`"),
        ("PROMPT_COMMAND='bash w'; bash -i", "`PROMPT_COMMAND`"),
        ("env -S 'bash\\_w'", "`env -S`"),
        ("awk 'BEGIN{system(\"w\")}'", "awk"),
        ("find . -fprintf w.sh x", "`find -fprintf`"),
        ("ssh -o ProxyCommand='bash w' h", "`ssh -o`"),
        ("ssh -oProxyCommand=w h", "`ssh -o`"),
        ("rsync -e 'bash w' a b", "`rsync -e`"),
        ("rsync -ae 'bash w' a b", "`rsync -ae`"),
        ("man -P 'bash w' x", "`man -P`"),
        ("less '+!bash w' x", "`less"),
        ("gdb -ex 'shell bash w'", "`gdb`"),
        ("openssl x -engine ./w", "`openssl -engine`"),
        ("zip a x -TT 'bash w'", "`zip -TT`"),
        ("split --filter='bash w' x", "`split --filter`"),
        ("sort --compress-program=w x", "`sort --compress-program`"),
        ("sqlite3 db '.shell bash w'", "`sqlite3"),
        ("psql -c '\\! bash w'", "`psql"),
        ("git clone -u 'bash w' x", "`git -u`"),
        ("git fetch 'ext::bash w'", "`git ext::`"),
        ("git grep -O'bash w' x", "`git -O"),
        ("git clone --template=t x", "`git --template`"),
        ("strace -o '|bash w' ls", "`strace -o`"),
        ("systemd-run -p ExecStartPre=w ls", "`systemd-run -p`"),
        ("make -f /dev/fd/0 x", "`make -f`"),
        ("make .SHELLFLAGS=x y", "`make .SHELLFLAGS=`"),
        ("zip a x -TTw", "`zip -TT"),
        ("psql -c \"COPY x FROM PROGRAM 'bash w'\"", "`psql"),
        ("cpio --rsh-command=w -F h:a", "`cpio --rsh-command`"),
        ("hg --config hooks.x=w up", "`hg --config`"),
        ("rpm --eval '%(bash w)'", "`rpm --eval`"),
        ("dpkg --pre-invoke='bash w' x", "`dpkg --pre-invoke`"),
        ("gawk -i w 1 x", "`gawk -i`"),
        ("gawk -lw 1 x", "`gawk -lw`"),
        ("env BASH_FUNC_x%%='() { bash w; }' bash v", "`BASH_FUNC_x%%`"),
    ]);
    check_found(&[
        ("git commit -m x", ".git/config"),
        ("git push", ".git/hooks/pre-push"),
        ("pip install .", "setup.py"),
    ]);
    check_quiet(&[
        "sed -i 's/a/b/g' x; sed -n '1,3p' src/we.txt; sed -i.bak -Ee s/a/b/ --quiet x.yaml /etc/hosts; sed -e 's|a|b|' -e '/x/d' y",
        "tar -czf a.tgz x; tar -I zstd -cf a x; git -c user.name=x commit -m y; make ship X=1",
        "rsync -a -e 'ssh -p 22 -i key -q' a b; git -c init.defaultBranch=m init; find . -name x -delete; env A=1 true; awk '{print $1}' x",
    ]);
}

#[test]
fn variables_of_a_step_that_programs_read_are_read_or_told() {
    let of = |name: &str, value: &str| {
        let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        named(&["tool".to_owned(), "x".to_owned()], env)
    };
    for (name, value) in [
        ("TAR_OPTIONS", "--to-command=./w"),
        ("GIT_CONFIG_VALUE_0", "!./w"),
        ("SHELL", "./w"),
        ("CC", "./w"),
        ("PS4", "$(./w)"),
        ("BASH_FUNC_x%%", "() { ./w; }"),
        ("LESSOPEN", "|./w %s"),
        ("GREP_OPTIONS", "-f ./w"),
        ("RSYNC_RSH", "./w"),
        ("GIT_PROXY_COMMAND", "./w"),
        ("npm_config_script_shell", "./w"),
        ("PIP_CONFIG_FILE", "./w"),
        ("CARGO_BUILD_RUSTC_WRAPPER", "./w"),
        ("RUSTC_WRAPPER", "./w"),
    ] {
        let found = of(name, value);
        assert!(found.runs.contains("./w") || found.names.contains("./w"), "{name}: {found:?}");
        let computed = of(name, "x \0");
        assert!(computed.missed.iter().any(|told| told.contains(name)), "{name}: {computed:?}");
    }
    assert!(of("HOOK", "tools/hook.sh").names.contains("tools/hook.sh"));
    assert!(of("OPTIONS", "-v --hook=./w").names.contains("./w"));
    assert!(of("PS4", "$((x++))").missed.iter().any(|told| told.contains("`PS4`")));
}

#[test]
fn limits_are_told() {
    check_told(&[
        (&"cd ..; ".repeat(9), "`..`"),
        ("f() { cd ..; ./w.sh; }; cd a/b; f", "`..`"),
        (&format!("x -{}w", "a".repeat(40)), "letters of one option"),
        (&format!("x {}w", "a=".repeat(40)), "of one word"),
    ]);
}

#[test]
fn ordinary_scripts_are_not_told() {
    check_quiet(&[
        "set -euo pipefail\nif [ -f x ]; then echo yes; elif test -d y; then echo no; else exit 1; fi",
        "for f in a b; do echo \"$f\"; done | sort -u > out.txt 2>&1 && echo done || true",
        "while read -r line; do echo \"$line\"; done < list.txt",
        "case x in a|b) echo 1 ;; *) echo 2 ;; esac",
        "f() {\n  local x=1\n  echo \"${x}\" \"${1:-none}\" >&2\n}\nf a",
        "function g { echo; }; g",
        "cat <<E | psql db\nselect 1, '$USER' from \"x\";\nE\nkubectl apply -f - <<'E'\na: {b: c}\nE",
        "echo \"$(date +%F) `id -u` $((1 + 2))\" # comment",
        "( sleep 1; echo x ) & wait\n{ echo a; echo b; } > x",
        "[[ -n \"$X\" ]] && echo \"${X%.sh} ${#X} ${X:0:3} ${X//a/b}\"",
        "a=(1 2\n 3); echo \"${a[@]}\"; a+=(4)",
        "echo {a,b}.txt {1..3} {} a=b 'it''s' \"a \\\" b\" \\; x\\ y",
        "curl -sf https://x/y | jq -r '.a | .b' | tee out.json",
        "echo x &> out; echo y >> out; echo z 2>/dev/null; exec 2>&1",
        "x=$(printf '%s' a); export Y=b Z; echo $? $# \"$@\" $1",
        "IFS= read -r a; IFS=, read -r b c; until false; do break; done",
        "find . -name '*.txt' -print0 | sort -z; test ! -e x",
    ]);
}

#[test]
fn hostile_text_has_an_end() {
    let nested = [
        "((",
        "( ",
        "{",
        "{a,",
        "$(",
        "`",
        "${",
        "\"$(",
        "[[ (",
        "case x in x) ",
        "$((",
        "<<E ",
        "\"",
        "$'",
        "@(",
    ];
    for part in nested.iter().chain(["a=(", "<(", ">", "&", "|", ")", "}", "\\", "#", "\0", "é$"].iter()) {
        let found = of_text(&part.repeat(64 * 1024 / part.len()));
        let found_in_lines = of_text(&format!("{part}\n").repeat(16 * 1024 / part.len()));
        drop((found, found_in_lines));
    }
    // To each of these a step for every two of its parts was one too many.
    let numbered = |part: &str| (0..20_000).map(|at| format!("{part}{at} ")).collect::<String>();
    for text in [
        "tee ".repeat(50_000),
        "tar ".repeat(50_000),
        "sed make git config cp ssh env sh -o ".repeat(6_000),
        "sh -c a ".repeat(25_000),
        numbered(">a"),
        numbered("; a"),
        numbered(">a") + &numbered("; b"),
        "a=1 >b ".repeat(25_000),
        "a-".to_owned() + &"=".repeat(200_000),
        "a".repeat(100_000) + "-" + &"=".repeat(100_000),
        "a".repeat(100_000) + &"[".repeat(100_000),
        "a".repeat(100_000) + &"{a}".repeat(30_000),
        "$(echo ${x: #})".repeat(13_000),
        "echo $((a)) ".repeat(16_000),
        "./a/".repeat(50_000) + ">./a/",
    ] {
        drop(of_text(&text));
    }
}

#[test]
fn few_constructs_are_told_in_one_line() {
    let many: String = (0..30).map(|index| format!("echo ${{x{index}@P}};")).collect();
    let told = of_text(&many).missed;
    let lines: Vec<_> = told.iter().filter(|line| line.starts_with("shell syntax")).collect();
    assert_eq!(lines.len(), 1, "{told:?}");
    assert!(lines[0].ends_with("… and 22 more"), "{lines:?}");
}

//! Calls and shell texts, and the words in them that are found.

use super::limits::{TEXT_BYTES_MAX, WORD_BYTES_MAX};
use super::shell_text::DOCUMENTS_MAX;
use super::variable::VARIABLES_MAX;
use super::*;

fn of(words: &[&str]) -> Named {
    let env = BTreeMap::from([("DIR".to_owned(), "bin".to_owned())]);
    named(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), env)
}

/// These are taken to be run, these to be named; there may be more.
#[track_caller]
fn check(words: &[&str], runs: &[&str], names: &[&str]) {
    let found = of(words);
    for (wanted, all) in [(runs, &found.runs), (names, &found.names)] {
        for run in wanted {
            let mut below = found.dirs.iter().filter_map(|dir| run.strip_prefix(dir)?.strip_prefix('/'));
            assert!(
                all.contains(*run) || below.any(|rest| all.contains(rest)),
                "{run} of {words:?}: {found:?}"
            );
        }
    }
}

/// Each word is found, whichever way it is used.
#[track_caller]
fn check_found(cases: &[(&[&str], &str)]) {
    for (words, wanted) in cases {
        let found = of(words);
        assert!(
            found.runs.contains(*wanted) || found.names.contains(*wanted),
            "{wanted} of {words:?}: {found:?}"
        );
    }
}

#[track_caller]
fn check_text(text: &str, runs: &[&str], names: &[&str]) {
    check(&["bash", "-euo", "pipefail", "-c", text], runs, names);
}

#[test]
fn a_script_behind_options_and_wrappers_is_found() {
    check(&["bash", "-eu", "./w.sh"], &["./w.sh"], &[]);
    check(&["bash", "-o", "pipefail", "w", "data.csv"], &["w"], &["data.csv"]);
    check(&["timeout", "5", "./w.sh"], &[], &["./w.sh"]);
    check(
        &["sudo", "-u", "deploy", "env", "A=conf/a.txt", "python3", "-X", "dev", "run"],
        &["run"],
        &["conf/a.txt"],
    );
    check(&["node", "--require", "./hook", "main"], &["./hook", "main"], &[]);
    check(&["tool", "--script=./w.sh", "-fx.txt", "@body.json"], &[], &["./w.sh", "x.txt", "body.json"]);
    check(&["ansible-playbook", "-i", "hosts", "site.yml"], &["hosts", "site.yml", "ansible.cfg"], &[]);
}

#[test]
fn the_words_of_a_shell_text_are_found_in_each_of_its_forms() {
    check_text("cd . && ./w.sh", &[], &["./w.sh"]);
    check_text("cd sub; ./w.sh", &[], &["./w.sh", "sub/./w.sh"]);
    check_text("env A=1 ./w.sh", &[], &["./w.sh"]);
    check_text(
        "set -e\n. ./lib.sh\nmain <in.txt >out.txt 2>&1 | bash -s run",
        &["./lib.sh", "run"],
        &["in.txt"],
    );
    check_text("\"$DIR\"/a.sh; ${DIR}/b.sh; X=c; $X/d.sh", &[], &["bin/a.sh", "bin/b.sh", "c/d.sh"]);
    check_text("x=$(./inner.sh a) && echo \"`./tick.sh`\" # ./comment.sh", &[], &["./inner.sh", "./tick.sh"]);
    check_text("sh -c 'bash -c \"./deep.sh\"'", &[], &["./deep.sh"]);
    check_text("find . -exec ./f.sh {} \\; ; ./a\\ b.sh", &["./f.sh"], &["./a b.sh"]);
    assert!(!of(&["sh", "-c", "echo x > out.txt"]).names.contains("out.txt"));
    assert!(!of(&["sh", "-c", "true\n# comment\n"]).names.contains("comment"));
    check_text("bash $ROOT/run; \"$(pwd)/sub/e.sh\"", &["run"], &["./sub/e.sh"]);
    check_text("unfinished 'quote ./q.sh", &[], &[]);
    check_text("$(", &[], &[]);
    check_text("${", &[], &[]);
    check_text("\\", &[], &[]);
}

#[test]
fn a_runner_reads_files_of_its_directory() {
    check(&["make", "ship"], &["Makefile", "GNUmakefile", "ship"], &[]);
    check_text("make -C sub ship", &["Makefile", "sub/Makefile"], &[]);
    check_text("cd app && npm run ship", &["package.json", "app/package.json"], &[]);
    check_text("terraform -chdir=infra apply plan.out", &["infra/*.tf", "infra/plan.out"], &[]);
}

#[test]
fn what_a_program_finds_by_itself_is_named() {
    check(
        &["python3", "-m", "shop.ship"],
        &["shop/ship.py", "shop/__init__.py", "shop/ship/__main__.py"],
        &[],
    );
    check(&["python3", "app/"], &["app/__main__.py"], &[]);
    check(&["run-parts", "--verbose", "jobs.d"], &["jobs.d/*"], &[]);
    check_text("find jobs -name '*.sh' -exec sh {} \\;", &["jobs/*"], &[]);
    check_text("find -name '*.sh' -exec sh {} \\;", &["./*"], &[]);
    check_text("./{a,b{1,2}}.sh; echo {}", &[], &["./a.sh", "./b1.sh", "./b2.sh"]);
    check_text("bash {w,x}; ./{1..3}'.sh'; { ./z.sh,; }", &["w"], &["x", "./1.sh", "./3.sh", "./z.sh"]);
    check_text("{ ./y.sh; }; ./{a,b}{c,d}.sh x{", &[], &["./y.sh", "./ad.sh"]);
    check(&["bash", "-m", "./w.sh"], &["./w.sh"], &[]);
    check(&["python3", "-c", "import shop.ship as s; s.go()"], &["shop/ship.py"], &[]);
    check(&["perl", "-Ilib", "-MW", "-e", "1"], &["lib/*"], &[]);
    check(&["node", "-r", "./hook", "main"], &["./hook.js", "main.js"], &[]);
    check_text(
        "${SCRIPT:-./w.sh}; \"${B-./b.sh}\"; ~/bin/x.sh; $HOME/bin/y.sh",
        &[],
        &["./w.sh", "./b.sh", "~/bin/x.sh", "~/bin/y.sh"],
    );
    check_text("PATH=$PWD/tools:$PATH; dep", &[], &["./tools/dep"]);
    check_text("PYTHONPATH=lib python3 x.py", &["lib/*"], &[]);
    check(&["python3", "-mshop.ship"], &["shop/ship.py"], &[]);
    let env = BTreeMap::from([("PERL5LIB".to_owned(), "lib:more".to_owned())]);
    let found = named(&["perl".to_owned(), "x.pl".to_owned()], env);
    assert!(found.runs.contains("lib/*") && found.runs.contains("more/*"), "{found:?}");
    let env = BTreeMap::from([("CLASSPATH".to_owned(), "app.jar:jars/*".to_owned())]);
    let found = named(&["java".to_owned(), "Ship".to_owned()], env);
    assert!(found.runs.contains("app.jar") && found.runs.contains("jars/*"), "{found:?}");
    let deep = "{a,".repeat(200) + &"}".repeat(200);
    check_text(&deep, &[], &[]);
    check_text(&"{a,b}".repeat(60), &[], &[]);
    check_text("./{1..999999999999}.sh ./{z..a}.sh", &[], &["./m.sh"]);
}

#[test]
fn a_value_of_an_option_and_the_script_of_an_interpreter_are_both_run() {
    check(&["python3", "-O", "w.py"], &["w.py"], &[]);
    check(&["python3", "-I", "w"], &["w"], &[]);
    check(&["python3", "-sEO", "w"], &["w"], &[]);
    check(&["python3", "-W", "ignore", "w"], &["ignore", "w"], &[]);
    check(&["perl", "-W", "w"], &["w"], &[]);
    check(&["perl", "-X", "w"], &["w"], &[]);
    check(&["perl", "-I", "lib", "w"], &["lib/*", "w"], &[]);
    check(&["ruby", "-W", "w"], &["w"], &[]);
    check(&["ruby", "-C", "sub", "w"], &["sub/w"], &[]);
    check(&["bash", "-ce", "w"], &[], &["w"]);
    check(&["bash", "-O", "extglob", "w"], &["w"], &[]);
    check(&["node", "--import", "./hook", "--no-warnings", "w"], &["./hook", "w"], &[]);
    check(&["fish", "w"], &["w"], &[]);
    check(&["node", "--require=./hook", "w"], &["./hook"], &[]);
}

#[test]
fn no_word_is_left_out() {
    check_text("cd .; ./_; bash 1; bash set; . local", &["1", "set", "local"], &["./_"]);
    check_text("bash -- -w; bash -- +x", &["-w", "+x"], &[]);
    check_text("bash \"a\nb.sh\"", &["a\nb.sh"], &[]);
    check_text("~+/w.sh; ~-/v.sh", &[], &["w.sh", "v.sh"]);
    check_text(&format!("{}w.sh", "./".repeat(520)), &[], &["w.sh"]);
    check_text("echo 42 -x . .. [ { if", &[], &["42", "-x", "[", "if"]);
    check_text("timeout 5 nice -n5 ./w.sh", &[], &["5", "./w.sh"]);
    check_found(&[
        (&["tar", "-xvfa.tar"], "a.tar"),
        (&["tar", "--to-command=sh ./w.sh"], "./w.sh"),
        (&["tar", "-I", "./pack -9", "-cf", "x"], "./pack"),
        (&["env", "-S", "bash ./w.sh"], "./w.sh"),
        (&["git", "-c", "core.hooksPath=hooks", "commit"], "hooks"),
        (&["git", "-c", "alias.x=!./w.sh", "x"], "./w.sh"),
        (&["rsync", "-e", "ssh -F conf", "a", "b"], "conf"),
        (&["ssh", "-oProxyCommand=./w.sh %h", "host"], "./w.sh"),
        (&["vim", "-S", "w", "-c", "source v"], "v"),
        (&["gdb", "-x", "w"], "w"),
        (&["sqlite3", "-init", "w", "db", ".read v"], "v"),
        (&["psql", "-f", "w", "-c", "\\i v"], "v"),
        (&["php", "-d", "auto_prepend_file=w", "x.php"], "w"),
        (&["python3", "-c", "import runpy; runpy.run_path('w')"], "w"),
        (&["node", "-e", "require('./w')"], "./w"),
        (&["java", "-cp", "a.jar:b.jar", "Ship"], "b.jar"),
        (&["java", "-jar", "ship.jar"], "ship.jar"),
        (&["make", "--eval", "include w"], "w"),
        (&["make", "-frules"], "rules"),
        (&["docker", "build", "-f", "w", "."], "w"),
        (&["flock", "lock", "w"], "w"),
        (&["time", "-o", "t", "./w"], "./w"),
        (&["chroot", "jail", "/w"], "/w"),
        (&["kubectl", "apply", "-fw"], "w"),
        (&["curl", "-d@w", "x"], "w"),
        (&["docker", "run", "--mount", "type=bind,source=./m.sh,target=/x", "i"], "./m.sh"),
        (&["bash", "-c", "hash -p ./w x; enable -f ./v y"], "./v"),
        (&["bash", "-c", "exec -a name ./w"], "./w"),
        (&["bash", "-c", "command -p . ./w"], "./w"),
        (&["bash", "-c", "mapfile -C ./w -c 1 x <in"], "./w"),
        (&["bash", "-c", "coproc ./w; alias v='./w2'"], "./w2"),
        (&["bash", "-c", "bash <<< './w'; bash <(cat v)"], "v"),
        (&["bash", "-c", "exec 3<>w; bash <&3"], "w"),
        (&["bash", "-c", "case $x in a|b) ./w;; *) v;; esac"], "v"),
        (&["bash", "-c", "A=1 VAR=./w.sh cmd"], "./w.sh"),
        (&["bash", "-c", "./a\\\nb.sh"], "./ab.sh"),
    ]);
}

#[test]
fn a_text_is_read_up_to_what_is_not_known_and_behind_it() {
    check_text("bash -c \"./w.sh $X\"; eval \"./v.sh $(id -u)\"", &[], &["./w.sh", "./v.sh"]);
    check_text("sh -c \"bash w $X\"; trap \"./t.sh $?\" EXIT", &["w"], &["./t.sh"]);
    check_text("\"./dir/$X/w.sh\"; \"$X\"w", &[], &["./dir/", "w.sh", "w"]);
    check_text("echo ${X:-$(./w.sh)}; echo ${Y:+./v.sh} ${Z/a/./u.sh}", &[], &["./w.sh", "./v.sh", "./u.sh"]);
    check_text("echo `echo \\`./w.sh\\``", &[], &["./w.sh"]);
    check_text("cat <<E\nit is 6\" wide $HOME/x\nE\n./w.sh \"$A\"", &[], &["./w.sh"]);
    check_text("cat <<'E' | bash\nbash w\nE\n./v.sh", &["w"], &["./v.sh"]);
    check_text("$'./\\x77.sh'; $\"./v.sh\"; $'\\056/u'", &[], &["./w.sh", "./v.sh", "./u"]);
    check_text("shopt -s extglob; ./@(w).sh", &[], &["./*.sh"]);
    check_text("echo 'it' a#b'c d'; ./w.sh", &[], &["./w.sh"]);
    check_text("echo a >\"x y\"; ./w.sh", &[], &["./w.sh"]);
    check_text("echo $((1 + $(./w.sh)))", &[], &["./w.sh"]);
}

#[test]
fn a_variable_has_every_value_that_it_may_have() {
    check_text("X=w; X+=.sh; ./$X", &[], &["./w.sh"]);
    check_text("X=w; f() { X=q; }; ./${X}.sh", &[], &["./w.sh", "./q.sh"]);
    check_text("f() { ./$X.sh; }; X=w; f", &[], &["./w.sh"]);
    check_text("for n in w v; do ./$n.sh; done", &[], &["./w.sh", "./v.sh"]);
    check_text("CMD='bash w'; $CMD", &["w"], &[]);
    let env = BTreeMap::from([("S".to_owned(), "./\0.sh:v".to_owned())]);
    let found = named(&["bash".to_owned(), "-c".to_owned(), "bash \"$S\"".to_owned()], env);
    assert!(found.runs.contains("v"), "{found:?}");
    let env = BTreeMap::from([("PATH".to_owned(), "./bin:\0:/usr/bin".to_owned())]);
    let found = named(&["dep".to_owned()], env);
    assert_eq!((found.dirs, found.missed.len()), (vec!["./bin".to_owned()], 1));
}

#[test]
fn a_command_may_go_to_any_directory_behind_its_word_for_it() {
    check_text("cd 2024 && ./w.sh", &[], &["2024/./w.sh"]);
    check_text("cd -- sub; cd -P a; pushd -n b; ./w.sh", &[], &["sub/./w.sh", "a/./w.sh", "b/./w.sh"]);
    check_text("(cd a); (cd b); (cd c); (cd d); (cd e && ./w.sh)", &[], &["e/./w.sh"]);
    check_text("CDPATH=sub; cd d; ./w.sh", &[], &["sub/./w.sh", "d/./w.sh"]);
    check_text(
        "make -Csub; kubectl apply -k over/lay; env -C x ./w.sh",
        &["sub/Makefile"],
        &["over/lay/./w.sh"],
    );
    check(&["docker", "build", "app"], &["app/Dockerfile"], &[]);
    check(&["sudo", "-D", "/opt/app", "./w.sh"], &[], &["/opt/app/./w.sh"]);
}

#[test]
fn a_limit_that_is_reached_is_told() {
    let missed = |text: &str| of(&["bash", "-c", text]).missed;
    assert!(missed("cd a && ./w.sh").is_empty());
    let deep = (0..10).fold("./w.sh x".to_owned(), |text, _| format!("$({text})"));
    assert!(missed(&deep).iter().any(|text| text.contains("deep")), "{:?}", missed(&deep));
    let many: String = (0..300).map(|index| format!("cd d{index}; ")).collect();
    assert!(missed(&many).iter().any(|text| text.contains("directories")), "{:?}", missed(&many));
    assert!(missed("./{1..999}.sh").iter().any(|text| text.contains("stands for")));
    assert!(missed("~root/w.sh").iter().any(|text| text.contains("another user")));
    for text in [
        "a=xx;".to_owned() + &"a=$a$a;".repeat(60),
        "a=xx;".to_owned() + &"a+=$a$a;".repeat(60),
        "v0=x;".to_owned() + &(1..60).map(|at| format!("v{at}=$v{0}$v{0};", at - 1)).collect::<String>(),
        "a=x;".to_owned() + &"a+=y;".repeat(100_000),
        "{a,b}".repeat(6) + &"x".repeat(WORD_BYTES_MAX),
        (0..=VARIABLES_MAX).map(|number| format!("v{number}=x;")).collect(),
        "<<E ".repeat(DOCUMENTS_MAX + 1) + "\n" + &"x\n".repeat(100_000),
    ] {
        assert!(!missed(&(text.clone() + " ./$a")).is_empty(), "{text:.60}");
    }
    let long = "a b ".repeat(TEXT_BYTES_MAX / 4 + 1);
    assert!(missed(&long).iter().any(|text| text.contains("bytes of text")));
}

#[test]
fn there_is_an_end_to_words() {
    let many: Vec<String> = (0..5000).map(|index| format!("f{index}.txt")).collect();
    let found = named(&many, BTreeMap::new());
    assert_eq!(found.names.len() + found.runs.len(), NAMED_WORDS_MAX);
    assert_eq!(found.missed.len(), 1);
}

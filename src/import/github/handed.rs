//! Variables and paths that a step of GitHub hands on through `$GITHUB_ENV` and `$GITHUB_PATH`. The step that writes them leaves them as
//! outputs, so they stand on record and each copy of a job has its own; each later step of the job reads them before its script.

use super::{Import, jobs::Job, jobs::Step};
use crate::foreign;
use cuelight_base::{Value, ValueMap, is_shell};
use cuelight_definition::shell_words;
use cuelight_expression::Template;

/// The variable that holds [`LOADER`], at the top of the file.
const LOADER_NAME: &str = "CUE_GITHUB";
/// The outputs, called as the variables that name the files.
const FILES: [&str; 2] = ["GITHUB_ENV", "GITHUB_PATH"];
/// Functions of a shell. Values stay data: they are read line by line, and no line is read as code.
const LOADER: &str = r#"cue_bad() { echo "could not take \$GITHUB_ENV: $1" >&2; exit 1; }
cue_load() {
  while IFS= read -r cue_line || [ -n "$cue_line" ]; do
    [ -n "$cue_line" ] || continue
    cue_key=${cue_line%%=*} cue_word=${cue_line%%<<*}
    if [ "$cue_word" != "$cue_line" ] && [ "${#cue_word}" -lt "${#cue_key}" ]; then
      cue_key=$cue_word cue_end=${cue_line#*<<} cue_value= cue_break= cue_open=1
      [ -n "$cue_end" ] || cue_bad "no end word after $cue_key<<"
      while IFS= read -r cue_line || [ -n "$cue_line" ]; do
        if [ "$cue_line" = "$cue_end" ]; then cue_open=; break; fi
        cue_value=$cue_value$cue_break$cue_line
        cue_break='
'
      done
      [ -z "$cue_open" ] || cue_bad "the block of $cue_key never ends"
    elif [ "$cue_key" != "$cue_line" ]; then
      cue_value=${cue_line#*=}
    else
      cue_bad "$cue_line is neither key=value nor key<<END"
    fi
    case $cue_key in
      NODE_OPTIONS) cue_bad "NODE_OPTIONS cannot be set so" ;;
      GITHUB_*|RUNNER_*|CUELIGHT_*|CUE_*) continue ;;
      ''|[0-9]*|*[!A-Za-z0-9_]*) cue_bad "$cue_key is no name of a variable" ;;
    esac
    case " $CUE_KEEP " in *" $cue_key "*) continue ;; esac
    export "$cue_key=$cue_value"
  done
}
cue_begin() {
  cue_load <<CUE_INPUT
$CUE_GITHUB_ENV
CUE_INPUT
  while IFS= read -r cue_line; do
    [ -z "$cue_line" ] || PATH=$cue_line:$PATH
  done <<CUE_INPUT
$CUE_GITHUB_PATH
CUE_INPUT
  export PATH
}
cue_hand_on() {
  GITHUB_ENV=$(mktemp) GITHUB_PATH=$(mktemp)
  export GITHUB_ENV GITHUB_PATH
  trap cue_finish EXIT
}
cue_finish() {
  cue_code=$?
  trap - EXIT
  if [ "$cue_code" -eq 0 ]; then
    (CUE_KEEP=; cue_load < "$GITHUB_ENV") || cue_code=$?
    for cue_name in GITHUB_ENV GITHUB_PATH; do
      eval "cue_file=\$$cue_name"
      { echo "$cue_name<<END-$CUELIGHT_KEY"; cat "$cue_file"; echo; echo "END-$CUELIGHT_KEY"; } >> "$CUELIGHT_OUTPUT"
    done
  fi
  rm -f "$GITHUB_ENV" "$GITHUB_PATH"
  exit "$cue_code"
}
"#;

impl Import<'_> {
    /// Makes a script read what steps before it hand on, and hand on what it writes itself. `handing` are the steps of the job that do so.
    pub(super) fn handed(
        &mut self,
        job: &Job<'_>,
        step: &Step<'_>,
        handing: &mut Vec<String>,
        keys: &mut ValueMap,
    ) {
        let Some(script) = foreign::text_at(keys, "run") else { return };
        let writes = FILES.iter().any(|file| script.contains(file));
        if !writes && handing.is_empty() {
            return;
        }
        let defaults = self.page.top.get("defaults").and_then(Value::as_object);
        let program = foreign::text_at(keys, "shell").or_else(|| foreign::text_at(defaults?, "shell"));
        let words = shell_words(&program.unwrap_or_default());
        if !words.first().is_some_and(|word| is_shell(word)) {
            let what = if writes { "hands on" } else { "is handed" };
            return self.page.leave_out(format!(
                "what {} {what} through `GITHUB_ENV` and `GITHUB_PATH`: its script is for no shell; write outputs, and read them under `env`",
                step.id
            ));
        }
        let mut head = format!("eval \"${LOADER_NAME}\"\n");
        let empty = ValueMap::new();
        let own = foreign::map_at(step.body, "env").unwrap_or(&empty);
        let index = if job.is_copied() { "[strategy.job-index]" } else { "" };
        if !handing.is_empty() {
            self.unseen(job, step, &script, own);
            head.push_str("cue_begin\n");
            let env = keys.entry("env").or_insert_with(|| Value::Object(ValueMap::new()));
            for file in FILES {
                let all =
                    handing.iter().map(|text| format!("${{{{ steps.{text}.outputs.{file}{index} }}}}\n"));
                env[format!("CUE_{file}")] = all.collect::<String>().into();
            }
            let kept: Vec<&str> = own.keys().map(String::as_str).collect();
            env["CUE_KEEP"] = kept.join(" ").into();
        }
        if writes {
            head.push_str("cue_hand_on\n");
            self.words.outputs.entry(step.id.clone()).or_default().extend(FILES.map(str::to_owned));
            handing.push(step.id.clone());
        }
        keys.insert("run".to_owned(), (head + &script).into());
        let top = self.page.top.entry("env").or_insert_with(|| Value::Object(ValueMap::new()));
        top[LOADER_NAME] = LOADER.into();
    }

    /// Names what an expression reads of `env` and only a step before it could have set.
    fn unseen(&mut self, job: &Job<'_>, step: &Step<'_>, script: &str, own: &ValueMap) {
        let Ok(template) = Template::parse(script) else { return };
        for reference in template.holes().flat_map(|hole| hole.expr.references()) {
            let Some(name) = reference.path.first().filter(|_| reference.root.eq_ignore_ascii_case("env"))
            else {
                continue;
            };
            let around = [self.root, job.body].into_iter().filter_map(|root| foreign::map_at(root, "env"));
            if !around.chain([own]).any(|env| env.contains_key(name)) {
                self.page.leave_out(format!(
                    "`env.{name}` in {}: no expression sees what a step hands on through `GITHUB_ENV`; write ${name} in the script",
                    step.id
                ));
            }
        }
    }
}

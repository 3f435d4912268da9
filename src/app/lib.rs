//! Wires the program: arguments, environment, engine, commands, exit codes. No logic that needs a test of its
//! own.

mod args;
mod command;
mod config;
mod elsewhere;
mod exit;
mod guard;
mod output;
mod settings;
mod trust;
mod wiring;

use std::{env, process::ExitCode, time::Duration};

/// Time that an idle worker thread is kept. A thread keeps memory that it has freed, and work is shared among
/// all threads. After a short peak every thread would otherwise stay, and its memory with it.
const IDLE_THREAD_KEPT: Duration = Duration::from_millis(100);

/// The program: reads the command line, carries it out, and says in one sentence why it could not.
pub fn run() -> ExitCode {
    if let Some(code) = guard::not_a_command() {
        return code;
    }
    command::complete();
    let spoken = command::read(env::args_os());
    let cli = match spoken.parsed {
        Ok(cli) => cli,
        Err(error) => {
            spoken.note.iter().for_each(|note| output::say(note));
            if error.use_stderr() {
                output::say(error.render().to_string().trim_end());
            } else {
                // Help and version; a closed pipe is nothing to tell about.
                drop(error.print());
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(IDLE_THREAD_KEPT)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("could not start: {error}"));
            return ExitCode::from(exit::NOT_RECORDED);
        }
    };
    let outcome = runtime.block_on(Box::pin(command::carry_out(cli, spoken.note)));
    runtime.shutdown_background();
    outcome.unwrap_or_else(|trouble| {
        output::say(&trouble.message);
        ExitCode::from(trouble.code)
    })
}

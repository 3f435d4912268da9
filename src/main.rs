//! The program: hands the arguments to `app` and leaves with its exit code.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

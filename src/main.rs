//! The program: hands over to `app` and leaves with its exit code.

fn main() -> std::process::ExitCode {
    cuelight::app::run()
}

//! The program: hands over to `app` and leaves with its exit code.

/// What a request brings on one thread is dropped on another: see decision 35.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cuelight_app::run()
}

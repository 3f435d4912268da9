//! The program: hands over to `app` and leaves with its exit code.

/// Allocator for memory that one thread allocates for a request and another thread frees: see decision 35.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cuelight_app::run()
}

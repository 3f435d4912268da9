//! The machine that this program was built for.

/// Returns the names of its operating system and processor, as steps name them under `requires`.
///
/// ```
/// assert!(cuelight_base::system_labels().all(|label| !label.is_empty()));
/// ```
pub fn system_labels() -> impl Iterator<Item = &'static str> {
    let known = [
        ("linux", cfg!(target_os = "linux")),
        ("macos", cfg!(target_os = "macos")),
        ("x86_64", cfg!(target_arch = "x86_64")),
        ("aarch64", cfg!(target_arch = "aarch64")),
    ];
    known.into_iter().filter(|pair| pair.1).map(|pair| pair.0)
}
